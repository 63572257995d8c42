"""What the characters of a template are: blanks, names, and the ways in which names compare.

As Octostache, which asks .NET about each UTF-16 unit: a letter or digit is one of the Basic Multilingual Plane,
and the information separators U+001C to U+001F are no blanks.
"""

from __future__ import annotations

import re

from agent.repeats import any_number_of, at_least_one

BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
BLANK_CHARACTERS = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)

# Python's \w also takes in letter numbers, fractions and superscripts, and the planes above the first.
_NOT_LETTERS = (
    "\xb2\xb3\xb9\xbc-\xbe\u09f4-\u09f9\u0b72-\u0b77\u0bf0-\u0bf2\u0c78-\u0c7e\u0d58-\u0d5e\u0d70-\u0d78"
    "\u0f2a-\u0f33\u1369-\u137c\u16ee-\u16f0\u17f0-\u17f9\u19da\u2070\u2074-\u2079\u2080-\u2089"
    "\u2150-\u2182\u2185-\u2189\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u2cfd\u3007\u3021-\u3029"
    "\u3038-\u303a\u3192-\u3195\u3220-\u3229\u3248-\u324f\u3251-\u325f\u3280-\u3289\u32b1-\u32bf"
    "\ua6e6-\ua6ef\ua830-\ua835\U00010000-\U0010ffff"
)
_NAME = rf"[A-Za-z0-9_\-:/~()@]++|[^\W\x00-\x7f{_NOT_LETTERS}]"

# A blank does not belong to a name if what follows ends the name.
IDENTIFIER = at_least_one(rf"{_NAME}|[{BLANKS}](?![|}}]|(?:in|==|!=)[{BLANKS}])")
DOTTED = IDENTIFIER + any_number_of(rf"\.{IDENTIFIER}")
WORD = at_least_one(_NAME)

identifier = re.compile(IDENTIFIER)
word = re.compile(WORD)
blanks = re.compile(rf"[{BLANKS}]*+")
dotted = re.compile(DOTTED)

# Text up to the next token: its first group holds what is to be unescaped, the second a `##` before a token.
_TEXT = r"[^#]++|##\{|(?!###\{.)#[^{]|#\Z"
text_run = re.compile(
    rf"({any_number_of(_TEXT)})(##(?=#\{{.))?",
    re.DOTALL,
)


def trimmed(text: str) -> str:
    """Without the blanks around it (as `String.Trim` of .NET)."""
    return text.strip(BLANK_CHARACTERS)


def folded(name: str) -> str:
    """What two names have in common that differ in case only (as `OrdinalIgnoreCase` of .NET)."""
    return name.upper() if name.isascii() else "".join(map(_folded_character, name))


def _folded_character(character: str) -> str:
    if character.isascii():
        return character.upper()
    upper = character.upper()
    return upper if len(upper) == 1 and not upper.isascii() and upper < "\U00010000" else character
