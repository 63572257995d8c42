"""Whether an image is whole, and what it says of its base."""

from __future__ import annotations

import hashlib
import json

import pytest

from agent.errors import InputError
from agent.images.verification import Finding, verify_base, verify_parts
from agent.labels import BASE, CONFIGURATION
from tests.commands.remote_images import LAYER, Images, content_digest
from tests.images.tars import entry, packed
from tests.registry.fake_server import Asked, Reply
from tests.registry.memory_registry import MemoryRegistry

BELOW, ABOVE = packed(entry("app/a", "1")), packed(entry("app/a", "2"))
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def parts(images: Images, tag: str = "1", *, quick: bool = False) -> list[Finding]:
    with images.client() as client:
        return list(verify_parts(images.opened(tag, client), client, lambda _line: None, quick=quick))


def base(images: Images, tag: str = "1") -> list[Finding]:
    with images.client() as client:
        return list(verify_base(images.opened(tag, client), client))


def configured(images: Images, *layers: bytes, configuration: str = "", base_digest: str = "") -> None:
    """Image 1, made from `base`."""
    base_digest = base_digest or images.keep("base", BELOW)
    label = configuration or hashlib.sha256(f"{base_digest}\n{content_digest(layers[-1])}\n".encode()).hexdigest()
    images.keep("1", *layers, labels={BASE: base_digest, CONFIGURATION: label})


def test_a_whole_image_is_found_good_layer_by_layer(images: Images) -> None:
    images.keep("1", BELOW, ABOVE)
    assert [finding.good for finding in parts(images)] == [True, True]


def test_a_layer_with_other_bytes_than_its_digest_says_is_found(images: Images) -> None:
    images.keep("1", BELOW, ABOVE)
    (key,) = [key for key, content in images.registry.blobs.items() if content == ABOVE]
    images.registry.blobs[key] = ABOVE[:9] + b"\x07" + ABOVE[10:]
    good, bad = parts(images)
    assert good.good
    assert not bad.good
    assert "something else than this digest says" in bad.found


def test_a_layer_that_is_missing_is_found_even_by_a_quick_look(images: Images) -> None:
    images.keep("1", BELOW)
    images.registry.blobs = {key: content for key, content in images.registry.blobs.items() if content != BELOW}
    for quick in (True, False):
        (finding,) = parts(images, quick=quick)
        assert not finding.good
        assert "not in the registry" in finding.found


def test_a_quick_look_reads_no_layer(images: Images) -> None:
    images.keep("1", BELOW, ABOVE)
    with images.client() as client:
        image = images.opened("1", client)
        before = images.reads()
        assert all(finding.good for finding in verify_parts(image, client, lambda _line: None, quick=True))
    assert images.reads() == before


def test_content_that_the_config_does_not_name_is_found(images: Images) -> None:
    images.keep("1", BELOW, diff_ids=(content_digest(ABOVE),))
    (finding,) = parts(images)
    assert (finding.good, finding.found) == (False, "its content is not what the config says")


@pytest.mark.parametrize("diff_id", ["md5:00", "", "shake_128:00", "sha256:\u0130"])
def test_an_odd_name_for_content_is_found(images: Images, diff_id: str) -> None:
    images.keep("1", BELOW, diff_ids=(diff_id,))
    assert [finding.good for finding in parts(images)] == [False]


def test_a_layer_that_cannot_be_unpacked_is_found(images: Images) -> None:
    images.keep("1", BELOW[:-9] + b"123456789", diff_ids=(content_digest(BELOW),))
    (finding,) = parts(images)
    assert not finding.good
    assert "damaged" in finding.found


def test_what_a_vendor_keeps_is_not_looked_into(images: Images) -> None:
    images.keep("1", BELOW, media_type=FOREIGN)
    images.registry.blobs = {key: content for key, content in images.registry.blobs.items() if content != BELOW}
    assert [finding.good for finding in parts(images)] == [True]


def test_a_config_for_another_number_of_layers_is_refused(images: Images) -> None:
    digest = images.keep("1", BELOW)
    _, body = images.registry.manifests["shop", digest]
    manifest = json.loads(body)
    manifest["layers"] = []
    images.registry.keep_manifest("shop", "1", manifest["mediaType"], json.dumps(manifest).encode())
    with images.client() as client, pytest.raises(Exception, match="1 layers, its manifest of 0"):
        images.opened("1", client)


def test_an_image_that_is_not_there_is_said_to_be_missing(images: Images) -> None:
    with images.client() as client, pytest.raises(InputError, match="is not in the registry"):
        images.opened("none", client)


def test_base_and_configuration_are_found_as_the_labels_say(images: Images) -> None:
    configured(images, BELOW, ABOVE)
    assert [finding.good for finding in base(images)] == [True, True]


def test_a_base_whose_layers_lie_not_below_is_found(images: Images) -> None:
    configured(images, ABOVE, BELOW)
    (finding,) = base(images)
    assert (finding.good, finding.found) == (False, "its layers are not those under the image")


def test_a_base_that_is_gone_is_found(images: Images) -> None:
    configured(images, BELOW, ABOVE, base_digest="sha256:" + "0" * 64)
    (finding,) = base(images)
    assert "is not in the registry any more" in finding.found


def test_a_label_of_another_configuration_is_found(images: Images) -> None:
    configured(images, BELOW, ABOVE, configuration="0" * 64)
    assert [finding.good for finding in base(images)] == [True, False]


@pytest.mark.parametrize("digest", ["latest", "../../x", "sha256:0", "http://evil/"])
def test_a_base_label_that_is_no_digest_leads_nowhere(images: Images, digest: str) -> None:
    images.keep("latest", BELOW)
    configured(images, BELOW, ABOVE, base_digest=digest)
    (finding,) = base(images)
    assert (finding.good, "is no digest" in finding.found) == (False, True)


def test_a_registry_in_trouble_becomes_a_finding(images: Images) -> None:
    images.keep("1", BELOW)

    def broken(asked: Asked) -> Reply | None:
        return Reply(status=403) if "/blobs/" in asked.path and asked.method == "GET" else None

    with images.client() as client:
        image = images.opened("1", client)
        images.registry.faults = broken
        (finding,) = verify_parts(image, client, lambda _line: None, quick=False)
    assert not finding.good


def test_layers_are_named_by_number_and_digest(images: Images) -> None:
    images.keep("1", BELOW)
    descriptor = MemoryRegistry().keep("shop", BELOW, LAYER)
    assert parts(images)[0].what == f"layer 1 {descriptor.digest[:19]}"
