"""`dockwright image` on what a real deployment left in a real registry."""

from __future__ import annotations

import json

from tests.system.shop import Site, dockwright


def test_a_deployed_image_is_verified_compared_and_listed(site: Site) -> None:
    images = [site.run(number, **{"Shop:Title": f"Shop {number}"}).outputs["Image"] for number in (1, 2)]
    home = ("--home", str(site.home))
    verified = dockwright("image", "verify", images[1], *home, "--output", "json")
    assert verified.code == 0, verified.stdout
    findings = verified.answer["findings"]
    assert isinstance(findings, list)
    assert {"digest", "label dockwright.slot"} <= {finding["what"] for finding in findings}
    compared = dockwright("image", "diff", *images, *home, "--show")
    assert compared.code == 1
    assert "app/appsettings.json" in compared.stdout
    assert '"Shop": ********' in compared.stdout, "a secret stands on the line"
    bill = json.loads(dockwright("image", "sbom", images[1], *home).stdout)
    assert {"pkg:generic/Shop.Sdi@1.0.0", "pkg:generic/Shop.Web@1.0.0"} <= {
        component.get("purl") for component in bill["components"]
    }
