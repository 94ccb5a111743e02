"""Names as people type them: folded text, its characters and pairs, and its sounds (pinyin) with every beginning a keyboard may send.

A sound string is the syllables of a name apart by spaces ("xiang gang zhong lu 12 hao"); a name that is read in several ways has several, apart by "|".
"""

import itertools
import re
import unicodedata
from functools import lru_cache

READINGS: dict[str, tuple[str, ...]] = {
    "乐": ("le", "yue", "lao"),
    "重": ("chong", "zhong"),
    "长": ("chang", "zhang"),
    "单": ("dan", "shan"),
    "莘": ("shen", "xin"),
    "行": ("xing", "hang"),
    "都": ("du", "dou"),
    "朝": ("chao", "zhao"),
    "会": ("hui", "kuai"),
    "藏": ("cang", "zang"),
    "宿": ("su", "xiu"),
    "厦": ("xia", "sha"),
    "调": ("diao", "tiao"),
    "柏": ("bai", "bo"),
    "泊": ("po", "bo"),
    "六": ("liu", "lu"),
    "解": ("jie", "xie"),
    "盛": ("sheng", "cheng"),
    "尉": ("wei", "yu"),
    "绿": ("lv", "lu"),
    "旅": ("lv", "lu"),
    "吕": ("lv", "lu"),
    "女": ("nv", "nu"),
    "阿": ("a", "e"),
    "堡": ("bao", "pu"),
    "曾": ("zeng", "ceng"),
    "落": ("luo", "la"),
    "沈": ("shen", "chen"),
    "洞": ("dong", "tong"),
    "埠": ("bu", "fu"),
    "蔚": ("wei", "yu"),
    "车": ("che", "ju"),
    "传": ("chuan", "zhuan"),
    "奇": ("qi", "ji"),
    "角": ("jiao", "jue"),
    "涡": ("wo", "guo"),
    "亳": ("bo", "hao"),
}
"""Characters of place names that people read in more than one way; the dictionary's own reading of the phrase comes first."""

WAYS = 4
_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z]+|[0-9]+")


def fold(name: str) -> str:
    """A name as it is compared: full width and half width, upper and lower case alike, single spaces.

    >>> fold(" Ａ座　12号 "), fold("")
    ('a座 12号', '')
    """
    return " ".join(unicodedata.normalize("NFKC", name).replace("\x00", "").lower().split())


def pairs(folded: str) -> list[str]:
    """Its single characters and neighbouring pairs: trigrams know nothing of two-character words, which most Chinese words are.

    >>> pairs("市南区"), pairs("")
    (['区', '南', '南区', '市', '市南'], [])
    """
    return sorted({folded[i : i + n] for n in (1, 2) for i in range(len(folded) - n + 1)})


@lru_cache(maxsize=65_536)
def _run(run: str) -> tuple[tuple[str, ...], ...]:
    """The ways to read one run: each a tuple of syllables, the dictionary's first."""
    if run.isascii():
        return ((run,),)
    from pypinyin import lazy_pinyin  # its dictionary takes half a second to read: not at every start

    first = tuple(re.sub(r"[^a-z]", "", text.lower()) or "x" for text in lazy_pinyin(run))
    if len(first) != len(run):
        return (first,)
    choices = [tuple(dict.fromkeys((syllable, *READINGS.get(character, ())))) for character, syllable in zip(run, first, strict=True)]
    return tuple(itertools.islice(itertools.product(*choices), WAYS))


def readings(name: str) -> list[tuple[str, ...]]:
    """The ways to read a name aloud, each a tuple of syllables; digits and Latin words stand as they are.

    >>> readings("香港中路12号"), readings("莘县路")[:2], readings("★")
    ([('xiang', 'gang', 'zhong', 'lu', '12', 'hao')], [('shen', 'xian', 'lu'), ('xin', 'xian', 'lu')], [])
    """
    runs = [_run(run) for run in _RUN.findall(unicodedata.normalize("NFKC", name).lower())]
    if not runs:
        return []
    return [tuple(itertools.chain.from_iterable(way)) for way in itertools.islice(itertools.product(*runs), WAYS)]


def sounds(name: str) -> str:
    """All readings as one sound string.

    >>> sounds("市南区"), sounds("")
    ('shi nan qu', '')
    """
    return "|".join(" ".join(way) for way in readings(name))


def whole(name: str) -> str:
    """The first reading without spaces: what slips of the keyboard are measured against.

    >>> whole("市南区"), whole("Beach 1")
    ('shinanqu', 'beach1')
    """
    found = readings(name)
    return "".join(found[0]) if found else ""


def beginnings(name: str, *, inside: bool = True) -> list[str]:
    """What may be the first one, two or three keys for a name, marked ^, or for a later part of it, marked ~ (three keys, or two at its end).

    >>> beginnings("市南", inside=False)
    ['^s', '^sh', '^shi', '^shn', '^sn', '^sna']
    """
    found: set[str] = set()
    for way in readings(name):
        for at in range(len(way) if inside else 1):
            mark = "~" if at else "^"
            for keys in _keys(way[at:], 3):
                if not at or len(keys) > 1:
                    found.add(mark + keys)
    return sorted(found)


def _keys(way: tuple[str, ...], most: int) -> set[str]:
    """Every text of at most `most` keys that takes a non-empty beginning of each syllable in turn."""
    if not way or most == 0:
        return set()
    found: set[str] = set()
    for n in range(1, min(most, len(way[0])) + 1):
        found.add(way[0][:n])
        found |= {way[0][:n] + rest for rest in _keys(way[1:], most - n)}
    return found


def typed(word: str) -> str:
    """The keys of a word that was typed without an input method; empty when it holds anything else.

    >>> typed("Xiang gang-zl 12"), typed("香港")
    ('xianggangzl12', '')
    """
    folded = fold(word)
    return re.sub(r"[^a-z0-9]", "", folded) if folded.isascii() else ""


def pattern(keys: str) -> str:
    """A regular expression (PostgreSQL and Python alike) for the sound strings that these keys mean: a beginning of each syllable in turn.

    >>> bool(re.search(pattern("xianggzl"), sounds("香港中路"))), bool(re.search(pattern("xgzhl"), sounds("香港中路"))), bool(re.search(pattern("gzl"), sounds("香港中路")))
    (True, True, True)
    >>> bool(re.search(pattern("ianggzl"), sounds("香港中路")))
    False
    """
    return "(^|[| ])" + "([a-z0-9]* )?".join(keys)


def how(keys: str, sound: str) -> int:
    """How well keys say a sound string: 3 the whole name, 2 its beginning, 1 a later part, 0 not at all.

    >>> how("snq", "shi nan qu"), how("shinan", "shi nan qu"), how("nanqu", "shi nan qu"), how("sq", "shi nan qu")
    (3, 2, 1, 0)
    """
    body = "(?:[a-z0-9]* )?".join(keys)
    if re.search(rf"(?:^|\|){body}[a-z0-9]*(?:$|\|)", sound):
        return 3
    if re.search(rf"(?:^|\|){body}", sound):
        return 2
    return 1 if re.search(f" {body}", sound) else 0


@lru_cache(maxsize=4096)
def title_keys(title: str) -> str:
    """Pinyin and initials of a title, for clients that filter a short list themselves.

    >>> title_keys("摄像机")
    'shexiangji sxj'
    """
    found = readings(title)
    return f"{''.join(found[0])} {''.join(syllable if syllable.isdigit() else syllable[0] for syllable in found[0])}" if found else ""
