"""Every filter: what it makes of values and options, and when it comes to nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from agent.variables import Variables


def filtered(value: str, filters: str) -> str | None:
    """What the filters make of the value; None if the token is echoed."""
    evaluation = Variables.of({"V": value, "Quote": '"', "Hash": "#"}).evaluate(f"#{{V | {filters}}}")
    return None if evaluation.error else evaluation.value


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("ÄbÇ", "ToLower", "äbç"),
        ("straße", "ToUpper", "STRAßE"),
        ("\u0391\u03a3", "tolower", "\u03b1\u03c3"),
        ("a", "ToUpper x", None),
        ("\u2003 a\t", "Trim", "a"),
        (" a ", "Trim START x", "a "),
        ("Octopus", "Substring 3", "Oct"),
        ("Octopus", "Substring 3 99", "opus"),
        ("Octopus", "Substring 7 1", ""),
        ("Octopus", "Substring 8 1", None),
        ("Octopus", "Substring 1 2147483647", None),
        ("a\U0001f600b", "Substring 3 1", "b"),
        ("abc", "Truncate 2", "ab..."),
        ("abc", "Truncate 3", "abc"),
        ("abc", "Truncate 0 x y", "x"),
        ("a", "Append b c", "abc"),
        ("a", "Prepend b c", "bca"),
        ("a\nb", "Indent", "    a\n    b"),
        ("a\nb", "Indent 5/", "5/a\n5/b"),
        ("a\nb", "Indent 1/0", " a\nb"),
        ("a", "Indent a b c", None),
        ("a", "NoSuchFilter", None),
    ],
)
def test_text(value: str, filters: str, result: str | None) -> None:
    assert filtered(value, filters) == result


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("abc", 'Match "^b"', "false"),
        ("abc", 'Match "b$"', "false"),
        ("abc\n", 'Match "c$"', "true"),
        ("abc", r'Match "c\Z"', "true"),
        ("ABC", 'Match "(?i)abc"', "true"),
        ("a{b", 'Match "a{b"', "true"),
        ("[", 'Match "[[]"', "true"),
        ("2030-05", r'Replace "(?<y>\d+)-(\d+)" "${y}/$1"', "2030/05"),
        ("ab", 'Replace "(?\'x\'a)" "${x}${x}"', "aab"),
        ("ab", 'Replace b "[$&$$$9${n}]"', "a[b$$9${n}]"),
        ("abc", 'Replace b "<$`|$\'>"', "a<a|c>c"),
        ("aaa", 'Replace "x*" "-"', "-a-a-a-"),
        ("abc", "Replace b x y", "axc"),
        ("abc", 'Replace "("', None),
        ("abc", 'Match "(?<"', None),
        ("abc", "Contains B", "false"),
        ("abc", "StartsWith ab", "true"),
        ("abc", "EndsWith bc", "true"),
        ("abc", "Contains a b", None),
    ],
)
def test_patterns_and_comparisons(value: str, filters: str, result: str | None) -> None:
    assert filtered(value, filters) == result


@pytest.mark.parametrize(
    ("value", "name", "result"),
    [
        ("<a b=\"c\" d='e'/>&", "HtmlEscape", "&lt;a b=&quot;c&quot; d=&apos;e&apos;&#x2F;&gt;&amp;"),
        ("<a/>", "XmlEscape", "&lt;a/&gt;"),
        ('"\\\r\n\t\b/', "JsonEscape", '\\"\\\\\\r\\n\\t\b/'),
        ("a\r\n\nb'", "YamlSingleQuoteEscape", "a\r\n\r\n\nb''"),
        ("\x01\x7f~ é\U0001f600", "YamlDoubleQuoteEscape", "\\u0001\\u007f~ \\u00e9\\ud83d\\ude00"),
        (" a:b=c\\\xfe\xff", "PropertiesKeyEscape", "\\ a\\:b\\=c\\\\\xfe\\u00ff"),
        (" a b:\n", "PropertiesValueEscape", "\\ a b:\\n"),
        ("a b%20/é?[x]", "UriEscape", "a%20b%2520/%C3%A9?[x]"),
        ("a b/é~", "UriDataEscape", "a%20b%2F%C3%A9~"),
    ],
)
def test_escapes(value: str, name: str, result: str) -> None:
    assert filtered(value, name) == result
    assert filtered(value, f"{name} option") is None


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("é", "ToBase64", "w6k="),
        ("é", "ToBase64 Unicode", "6QA="),
        ("w6k=", "FromBase64 utf-8", "é"),
        ("w6 k\n=", "FromBase64", "é"),
        ("w6k", "FromBase64", None),
        ("x", "ToBase64 latin1", None),
        ("x", "ToBase64 utf8 utf8", None),
        ("abc", "Md5 4", "90015098"),
        ("YWJj", "Md5 base64 4", "90015098"),
        ("abc", "Sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abc", "Sha256 999 2", None),
        ("abc", "Sha256 utf8 unicode", None),
        ("abc", "Md5 0", None),
        ("abc", "Md5 base64", None),
    ],
)
def test_encodings_and_hashes(value: str, filters: str, result: str | None) -> None:
    assert filtered(value, filters) == result


@pytest.mark.parametrize(
    ("value", "form", "result"),
    [
        ("1234.565", "N2", "1,234.57"),
        ("-1234.5", "C", "(¤1,234.50)"),
        ("0.1234", "P1", "12.3 %"),
        ("-5", "F0", "-5"),
        ("1234.5", "E2", "1.23E+003"),
        ("1.50", "G", "1.50"),
        ("12345", "G2", "1.2E+04"),
        ("12", "0000", "0012"),
        ("1234567.891", "#,##0.0#", "1,234,567.89"),
        ("0.5", "#.##", ".5"),
        ("0", "#", ""),
        ("1234567", "0,,", "1"),
        ("0.256", "0.0%", "25.6%"),
        ("-3", "0;(0);zero", "(3)"),
        ("0", "0;(0);zero", "zero"),
        ("12", "yyyy", "yyyy"),
        ("5", "'n='0\\0", "n=50"),
        ("1234", "0.00e+0", "1.23e+3"),
        ("5", "X", None),
        ("5", "y", None),
        (" 1,000 ", "F0", "1000"),
        ("5-", "F0", "-5"),
    ],
)
def test_numbers_are_formatted(value: str, form: str, result: str | None) -> None:
    assert filtered(value, f'Format "{form}"' if "#" not in form else f'Format \\"{form}\\"') == result


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("7", "Format int D3", "007"),
        ("255", "Format Int32 X4", "00FF"),
        ("-1", "Format int x", "ffffffff"),
        ("1.5", "Format int D", None),
        ("1e3", "Format double N0", "1,000"),
        ("0.1", "Format double R", "0.1"),
        ("2.5", "Format double F0", "3"),
        ("1E400", "Format double F0", "Infinity"),
        ("1.10", "Format decimal G", "1.10"),
        ("5", "Format decimal X", None),
        ("5", "Format number N", None),
        ("5", "Format", None),
        ("5", "Format a b c", None),
    ],
)
def test_numbers_are_formatted_by_type(value: str, filters: str, result: str | None) -> None:
    assert filtered(value, filters) == result


@pytest.mark.parametrize(
    ("value", "form", "result"),
    [
        ("2030-05-22 09:05:07.1234567", "yyyy-MM-ddTHH:mm:ss.fffffff", "2030-05-22T09:05:07.1234567"),
        ("2030-05-22 09:05:07", "ss.FFF", "07"),
        ("2030-05-22 21:05", "h:mm tt", "9:05 PM"),
        ("2030-05-22", "dddd, d MMMM yy", "Wednesday, 22 May 30"),
        ("2030/05/22", "d", "05/22/2030"),
        ("05/22/2030", "R", "Wed, 22 May 2030 00:00:00 GMT"),
        ("22 May 2030 9:05 AM", "s", "2030-05-22T09:05:00"),
        ("May 22, 2030", "u", "2030-05-22 00:00:00Z"),
        ("2030-05-22", "'day 'd\\d\"x\"", "day 22dx"),
        ("2030-05-22", "%d", "22"),
        ("2030-05-22", "yyy", "2030"),
        ("2030-05-22", "q", None),
        ("2030-13-22", "d", None),
        ("2030-02-30", "d", None),
        ("25:00", "d", None),
        ("hello", "d", None),
    ],
)
def test_dates_are_formatted(value: str, form: str, result: str | None) -> None:
    evaluation = Variables.of({"V": value, "F": form}).evaluate("#{V | Format DateTime #{F}}")
    assert (None if evaluation.error else evaluation.value) == result


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("2030-05-22T09:05:00Z", "Format yyyy-MM-ddTHHzzz", "2030-05-22T09+00:00"),
        ("Wed, 22 May 2030 09:05:00 GMT", "Format DateTimeOffset t", "09:05"),
        ("2030-05-22T09:05:00+02:00", 'Format "HH zzz"', "09 +02:00"),
        ("2030-05-22T09:05:00+02:00", "Format DateTimeOffset u", "2030-05-22 07:05:00Z"),
        ("2030-05-22T09:05:00Z", "AddHours 2", "2030-05-22T11:05:00.0000000Z"),
        ("2030-05-22T09:05:00-05:30", 'AddDays "-0.5"', "2030-05-21T21:05:00.0000000-05:30"),
        ("2030-05-22", "AddHours 1e1", "2030-05-22T10:00:00.0000000"),
        ("2030-05-22", 'AddHours "1,000"', None),
        ("2030-05-22", "AddHours NaN", None),
        ("9999-12-31", "AddDays 1", None),
        ("0001-01-01", "AddDays -1", None),
        ("2030-05-22", "AddDays 1e300", None),
        ("x", "NowDate", None),
    ],
)
def test_dates_with_offsets_and_shifts(value: str, filters: str, result: str | None) -> None:
    assert filtered(value, filters) == result


def test_clock_shows_local_time_or_utc() -> None:
    variables = Variables.of({})
    shown = variables.evaluate("#{ | NowDateUtc}").value or ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", shown)
    assert abs((datetime.fromisoformat(shown[:26] + "+00:00") - datetime.now(UTC)).total_seconds()) < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", variables.evaluate("#{ | NowDate}").value or "")
    assert variables.evaluate("#{ | NowDate a b}").error is not None


_URI = "https://user:pw@Octopus.com:8443/a%20b/../docs/x y?q=1#top"


@pytest.mark.parametrize(
    ("uri", "part", "result"),
    [
        (_URI, "AbsolutePath", "/docs/x%20y"),
        (_URI, "absoluteuri", "https://user:pw@octopus.com:8443/docs/x%20y?q=1#top"),
        (_URI, "Authority", "octopus.com:8443"),
        (_URI, "Path", "/docs/x y"),
        (_URI, "PathAndQuery", "/docs/x%20y?q=1"),
        (_URI, "Fragment", "#top"),
        (_URI, "SchemeAndServer", "https://octopus.com:8443"),
        (_URI, "HostAndPort", "octopus.com:8443"),
        (_URI, "IsDefaultPort", "false"),
        (_URI, "UserInfo", "user:pw"),
        ("http://[::1]/", "DnsSafeHost", "::1"),
        ("http://[::1]/", "HostNameType", "IPv6"),
        ("http://127.0.0.1", "IsLoopback", "true"),
        ("http://127.0.0.1", "HostNameType", "IPv4"),
        ("http://octopus.com", "PathAndQuery", "/"),
        ("file:///etc/hosts", "IsFile", "true"),
        ("\\\\server\\share", "IsUnc", "true"),
        ("mailto:a@b.c", "Scheme", "mailto"),
        ("docs/x", "IsAbsoluteUri", "false"),
        ("docs/x", "Host", "[UriPart Host error: This operation is not supported for a relative URI.]"),
        ("http://", "Host", "http://"),
        ("http://a", "Nope", "[UriPart Nope error: argument 'Nope' not supported]"),
    ],
)
def test_parts_of_uris(uri: str, part: str, result: str) -> None:
    assert filtered(uri, f"UriPart {part}") == result


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("v1.2.3.4-beta.5+meta.7", ("1", "2", "3", "4", "beta.5", "beta", "5", "meta.7")),
        ("1", ("1", "0", "0", "0", "", "", "", "")),
        ("latest", ("0", "0", "0", "0", "latest", "latest", "", "")),
        ("1.2+m", ("1", "2", "0", "0", "", "", "", "m")),
    ],
)
def test_parts_of_versions(version: str, parts: tuple[str, ...]) -> None:
    names = ("Major", "Minor", "Patch", "Revision", "PreRelease", "PreReleasePrefix", "PreReleaseCounter", "Metadata")
    assert tuple(filtered(version, f"Version{name} ignored") for name in names) == parts


def test_what_is_no_version_is_echoed() -> None:
    assert filtered("1.0 beta", "VersionMajor") is None


@pytest.mark.parametrize(
    ("value", "html"),
    [
        ("# Hi\n", "<h1>Hi</h1>\n\n"),
        (
            "~~a~~ ~b~ ^c^ ++d++ ==e==",
            "<p><del>a</del> <sub>b</sub> <sup>c</sup> <ins>d</ins> <mark>e</mark></p>\n\n",
        ),
        ("a + b = c ~ d", "<p>a + b = c ~ d</p>\n\n"),
        ("see www.octopus.com.", '<p>see <a href="http://www.octopus.com">www.octopus.com</a>.</p>\n\n'),
        ("(https://a.b/c_(d))", '<p>(<a href="https://a.b/c_(d)">https://a.b/c_(d)</a>)</p>\n\n'),
        ("[x](https://a.b)", '<p><a href="https://a.b">x</a></p>\n\n'),
    ],
)
def test_markdown(value: str, html: str) -> None:
    assert filtered(value, "Markdown") == html
    assert filtered(value, "Markdown x") is None
