"""Signed bundles: by a trusted key, whole, and not older than the last one."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.bundle import Bundle, BundleTrust, open_bundle
from agent.cli.main import commands
from agent.commands import packing
from agent.errors import InputError
from agent.packages import extract
from agent.plugins import load_step
from agent.signing import SIGNATURE, Sequences, Signers, make_key, sign, verify

STEP = "step: source-image\ninputs: {source: App, image: app}\n"


class Signing:
    """A folder to sign, a key, and a home that trusts it."""

    def __init__(self, folder: Path) -> None:
        self.bundle = folder / "Shop.1.0.0"
        self.bundle.mkdir()
        (self.bundle / "step.yaml").write_text(STEP)
        (self.bundle / "packages").mkdir()
        (self.bundle / "packages" / "App.1.0.0.zip").write_bytes(b"not looked at here")
        self.key = folder / "key.pem"
        self.public = make_key(self.key)
        self.home = folder / "home"
        self.work = folder / "work"
        self.work.mkdir()

    def trusted(self, *, required: bool = True) -> BundleTrust:
        Signers(self.home / "service" / "signers.json").add("release team", self.public)
        return BundleTrust.under(self.home, required=required)

    def signed(self) -> Path:
        (self.bundle / SIGNATURE).write_bytes(sign(self.bundle, "Shop", self.key))
        return self.bundle

    def opened(self, trust: BundleTrust) -> Bundle:
        return open_bundle(self.bundle, self.work, trust)


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    return Signing(tmp_path)


def test_bundle_signed_by_a_trusted_key_is_taken(signing: Signing) -> None:
    signing.signed()
    assert signing.opened(signing.trusted()).manifest.step == "source-image"


def test_packed_bundle_carries_its_signature(signing: Signing, tmp_path: Path) -> None:
    packed = packing.pack(signing.bundle, tmp_path, "", "", signing.key)
    assert open_bundle(packed.path, signing.work, signing.trusted()).manifest.step == "source-image"
    assert not (signing.bundle / SIGNATURE).exists()


def test_unsigned_bundle_is_refused_where_a_signature_is_required(signing: Signing) -> None:
    with pytest.raises(InputError, match="is not signed, and this agent takes signed ones only"):
        signing.opened(signing.trusted())
    assert signing.opened(signing.trusted(required=False)).manifest.step == "source-image"


def test_key_that_is_not_trusted_is_refused(signing: Signing) -> None:
    signing.signed()
    with pytest.raises(InputError, match="a key that is not trusted here"):
        signing.opened(BundleTrust.under(signing.home, required=True))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda b: (b / "step.yaml").write_text(STEP + "\n"), "step.yaml in the bundle was changed"),
        (lambda b: (b / "more.txt").write_text("x"), "more.txt was added to the bundle"),
        (lambda b: shutil.rmtree(b / "packages"), "App.1.0.0.zip is missing from the bundle"),
        (lambda b: (b / "link").symlink_to("/etc/passwd"), "link in the bundle is no plain file"),
        (lambda b: (b / SIGNATURE).write_text("{}"), "cannot be read"),
        (lambda b: (b / SIGNATURE).write_bytes(_with_other_statement(b)), "it was changed after it was signed"),
    ],
)
def test_any_change_after_signing_is_seen(signing: Signing, change: object, reason: str) -> None:
    signing.signed()
    assert callable(change)
    change(signing.bundle)
    with pytest.raises(InputError, match=reason):
        signing.opened(signing.trusted())


def _with_other_statement(bundle: Path) -> bytes:
    """The same bytes with one letter of the signed statement changed."""
    data = bytearray((bundle / SIGNATURE).read_bytes())
    at = data.index(b'"statement":"') + 30
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    return bytes(data)


def test_older_bundle_of_the_same_name_is_refused(signing: Signing) -> None:
    old = sign(signing.bundle, "Shop", signing.key)
    signing.signed()
    signing.opened(signing.trusted())
    (signing.bundle / SIGNATURE).write_bytes(old)
    with pytest.raises(InputError, match="was signed before the last one"):
        signing.opened(signing.trusted())


def test_same_bundle_may_be_deployed_again(signing: Signing) -> None:
    signing.signed()
    signing.opened(signing.trusted())
    assert signing.opened(signing.trusted()).manifest.step == "source-image"


def test_names_have_sequences_of_their_own(signing: Signing) -> None:
    sequences = Sequences(signing.home / "bundles.json")
    signers = Signers(signing.home / "signers.json")
    signers.add("us", signing.public)
    for name in ("Shop", "Office"):
        (signing.bundle / SIGNATURE).write_bytes(sign(signing.bundle, name, signing.key))
        found = verify(signing.bundle, signers.all())
        assert found is not None
        sequences.require_not_older(found[0])


def _add_plugin(bundle: Path, name: str = "greeter-1.0-py3-none-any.whl") -> None:
    (bundle / "plugin").mkdir()
    with zipfile.ZipFile(bundle / "plugin" / name, "w") as wheel:
        wheel.writestr("greeter.py", "class Greet:\n    def run(self, context):\n        return 'hello'\n")
        wheel.writestr("greeter-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
        wheel.writestr("greeter-1.0.dist-info/entry_points.txt", "[dockwright.steps]\ngreet = greeter:Greet\n")


def test_plugin_of_a_signed_bundle_provides_its_step(signing: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    _add_plugin(signing.bundle)
    signing.signed()
    bundle = signing.opened(signing.trusted(required=False))
    step = load_step("greet", bundle.plugin)
    assert type(step).__module__ == "greeter"


def test_plugin_of_an_unsigned_bundle_is_refused(signing: Signing) -> None:
    _add_plugin(signing.bundle)
    with pytest.raises(InputError, match="no key that is trusted here has signed it"):
        signing.opened(signing.trusted(required=False))


def test_plugin_that_is_not_pure_python_is_refused(signing: Signing) -> None:
    _add_plugin(signing.bundle, "greeter-1.0-cp311-cp311-linux_x86_64.whl")
    signing.signed()
    with pytest.raises(InputError, match="one wheel of pure Python"):
        signing.opened(signing.trusted())


def test_signing_key_is_never_overwritten(signing: Signing) -> None:
    with pytest.raises(InputError, match="never overwritten"):
        make_key(signing.key)


def test_commands_make_a_key_pack_and_trust(signing: Signing, tmp_path: Path) -> None:
    def dockwright(*words: str) -> str:
        result = CliRunner().invoke(commands, words)
        assert result.exit_code == 0, result.output
        return result.output.strip()

    home = ("--home", str(signing.home))
    public = dockwright("trust", "new-key", str(tmp_path / "new.pem"))
    dockwright("pack", str(signing.bundle), "--into", str(tmp_path), "--sign", str(tmp_path / "new.pem"))
    dockwright("trust", "add-signer", "us", public, *home)
    assert public in dockwright("trust", "signers", *home)
    extract(tmp_path / "Shop.1.0.0.zip", tmp_path / "out")
    found = verify(tmp_path / "out", Signers(signing.home / "service" / "signers.json").all())
    assert found is not None
    assert found[1].name == "us"
    dockwright("trust", "revoke-signer", "us", *home)
    assert "no key may sign bundles yet" in dockwright("trust", "signers", *home)
