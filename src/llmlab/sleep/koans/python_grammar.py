"""Broken Python: families of bugs, each bug in several forms, each form in several places.

A machine without a Rust compiler has the whole lab with these.
"""

from llmlab.sleep.koans.grammar import Core, Grammar, indented


def plain(lines: list[str], result: str) -> list[str]:
    return [*lines, f"return {result}"]


def branch(lines: list[str], result: str) -> list[str]:
    return ["if $p > 3:", *indented([*lines, f"return {result}"]), "return $p + $o"]


def loop(lines: list[str], result: str) -> list[str]:
    inner = indented([*lines, f"$t += {result}"])
    return ["$t = 0", "for $i in range(3):", *inner, "return $t"]


def attempt(lines: list[str], result: str) -> list[str]:
    return ["try:", *indented([*lines, f"return {result}"]), "finally:", "    $t = $o"]


def inner(lines: list[str], result: str) -> list[str]:
    body = indented([*lines, f"return {result}"])
    return ["def $h():", *body, "return $h() * $o"]


def guard(lines: list[str], result: str) -> list[str]:
    return ["if $p > 20:", "    return $o", *lines, f"return {result}"]


def nested(lines: list[str], result: str) -> list[str]:
    body = indented([*lines, f"return {result}"], 2)
    return ["if $p > 0:", "    if $p < 20:", *body, "return $p + $o"]


def choice(lines: list[str], result: str) -> list[str]:
    body = indented([*lines, f"$t = {result}"])
    return ["if $p < 0:", "    $t = $o", "else:", *body, "return $t + $p"]


def prelude(lines: list[str], result: str) -> list[str]:
    return ["if $p > 3:", "    $t = $o", "else:", "    $t = $p", *lines, f"return {result} + $t"]


def once(lines: list[str], result: str) -> list[str]:
    return ["while True:", *indented([*lines, f"return {result}"])]


def packed(lines: list[str], result: str) -> list[str]:
    return ["$t = [$o]", *lines, f"$t.append({result})", "return sum($t)"]


def entry(lines: list[str], result: str) -> list[str]:
    return [*lines, f"$t = {{$o: {result}}}", "return $t[$o]"]


def helped(lines: list[str], result: str) -> list[str]:
    return ["def $h($i):", "    return $i * $o", *lines, f"return $h({result})"]


def paired(lines: list[str], result: str) -> list[str]:
    return [*lines, f"$t, $i = $o, {result}", "return $i - $t"]


def function(body: list[str]) -> list[str]:
    return ["def $f($p):", *indented(body)]


CONTEXTS = {
    "plain": plain,
    "branch": branch,
    "loop": loop,
    "attempt": attempt,
    "inner": inner,
    "guard": guard,
    "nested": nested,
    "choice": choice,
    "prelude": prelude,
    "once": once,
    "packed": packed,
    "entry": entry,
    "helped": helped,
    "paired": paired,
}
FILLER = (
    "    $j = $p * 2",
    "    $k = [1, 2, 3]",
    '    $l = "none"',
    "    $s = $p > 0",
    "    $v = str($p)",
    "    $z = ($p, $p)",
    "    $k = $p - 1",
    "    $l = {}",
    "    $j = [$p]",
    "    $s = $p == 1",
)

CLASS = """
class $T:
    def __init__(self, $x):
        self.$x = $x
"""

UNKNOWN = (
    Core("NameError", "$a = $p + $n\n=> «$b¦$a» * $m"),
    Core("NameError", "$a = [$p, $n]\n=> «$b¦sum»($a)"),
    Core("NameError", "$a = «true¦True»\n=> $n if $a else $p"),
    Core("NameError", "$a = «null¦None»\n=> $p if $a is None else $n"),
    Core("NameError", "$a = [$b * $n for $b in range($p)]\n=> len($a) + «$b¦$p»"),
    Core("NameError", "$a = «sqrt¦abs»($p - $n)\n=> $a + $m"),
)
STRINGS = (
    Core("TypeError", '$a = "$w"\n$b = $a + «$p¦str($p)»\n=> len($b)'),
    Core("TypeError", '$a = «"$n"¦int("$n")»\n=> $p + $a'),
    Core("TypeError", "$a = «$p¦str($p)»\n=> len($a) + $n"),
    Core("TypeError", '$a = ["$w", «$p¦str($p)»]\n=> len("-".join($a)) + $n'),
    Core("ValueError", '$a = "$w$n"\n=> int($a«¦[3:]») + $p'),
    Core("ValueError", '$a = int("$n.5"«¦.split(".")[0]»)\n=> $a + $p'),
)
INDICES = (
    Core("IndexError", "$a = [$p, $n, $m]\n=> $a[«3¦2»]"),
    Core("IndexError", "$a = [$p, $n]\n=> $a[len($a)«¦ - 1»]"),
    Core(
        "IndexError",
        "$a = [$n, $m]\n$c = $p\nfor $e in range(len($a)« + 1¦»):\n    $c += $a[$e]\n=> $c",
    ),
    Core("TypeError", '$a = [$n, $m]\n=> $a[«"0"¦0»] + $p'),
    Core("TypeError", "$a = [$n, $m, $p]\n=> $a[len($a) «/¦//» 2]"),
    Core("IndexError", "$a = []\n$a«[0] = $p¦.append($p)»\n=> $a[0] + $n"),
)
KEYS = (
    Core("KeyError", '$a = {"$w": $n}\n=> $a«["$u"]¦.get("$u", $p)» + $n'),
    Core("KeyError", '$a = {"$w": $n, "$u": $p}\n=> $a["$w"] + $a[«0¦"$u"»]'),
    Core("KeyError", '$a = {}\n$a["$w"] «+=¦=» $p\n=> $a["$w"] * $n'),
    Core("KeyError", "$a = {$n: $p}\n=> $a[«str($n)¦$n»] + $m"),
    Core(
        "ValueError", '$a = {"$w": $n}\n$c = $p\nfor $b, $e in $a«¦.items()»:\n    $c += $e\n=> $c'
    ),
    Core("KeyError", '$a = {"$w": $n}\ndel $a[«"$u"¦"$w"»]\n=> len($a) + $p'),
)
ATTRIBUTES = (
    Core("AttributeError", "$a = [$p, $n]\n$a.«push¦append»($m)\n=> sum($a)"),
    Core("AttributeError", '$a = "$w"\n=> len($a.«to_upper¦upper»()) + $p'),
    Core("AttributeError", "$a = $T($p)\n=> $a.«$y¦$x» + $n", CLASS),
    Core("AttributeError", "$a = {$n: $p}\n=> sum($a.«vals¦values»()) + $m"),
    Core(
        "AttributeError", "$a = $T($p)\n=> $a.$x + $n", CLASS.replace("self.$x =", "«$x¦self.$x» =")
    ),
    Core("AttributeError", "$a = «($p, $n)¦[$p, $n]»\n$a.append($m)\n=> sum($a)"),
)
SCOPES = (
    Core("UnboundLocalError", "$c «+=¦=» $p\n=> $c + $n"),
    Core(
        "UnboundLocalError",
        "$a = $g()\n=> $a + $p",
        "$b = $n\n\n\ndef $g():\n    «$b¦$c» = $b + $m\n    return «$b¦$c»\n\n",
    ),
    Core("UnboundLocalError", "for $e in range(«0¦$p»):\n    $c = $e\n=> $c + $n"),
    Core("UnboundLocalError", "if $p > «20¦0»:\n    $c = $n\n=> $c + $p"),
    Core("UnboundLocalError", "«del $c¦$c = $p»\n=> $c if $c > $n else $m"),
    Core(
        "UnboundLocalError",
        "$a = $g($p)\n=> $a + $m",
        "def $g($q):\n    if $q > 20:\n        $c = $n\n    return «$c¦$q»\n\n",
    ),
)
RETURNS = (
    Core("TypeError", "$a = $g($p)\n=> $a + $n", "def $g($q):\n    «¦return »$q * $m\n\n"),
    Core("TypeError", "$a = [$p, $n]\n$b = «$a.sort()¦sorted($a)»\n=> $b[0]"),
    Core("TypeError", "$a = [$p, $n]\n$b = «$a.append($m)¦$a + [$m]»\n=> len($b)"),
    Core(
        "TypeError",
        "$a = $g($p)\n=> $a + $n",
        "def $g($q):\n    if $q > 0:\n        return«¦ $q»\n    return $m\n\n",
    ),
    Core("TypeError", "$a = [$p, $n]\n$b = «$a.reverse()¦$a[::-1]»\n=> $b[0] + $m"),
    Core("TypeError", "$a = $g«¦($p)»\n=> $a + $n", "def $g($q):\n    return $q * $m\n\n"),
)
ARGUMENTS = (
    Core(
        "TypeError",
        "$b = $n\n$a = $g($p«¦, $b»)\n=> $a + $m",
        "def $g($q, $r):\n    return $q * $r\n\n",
    ),
    Core("TypeError", "$a = $g(«$p, $n¦$p»)\n=> $a + $m", "def $g($q):\n    return $q + $o\n\n"),
    Core(
        "TypeError", "$a = $g($r=$p«, $q=$n¦»)\n=> $a + $m", "def $g($r):\n    return $r + $o\n\n"
    ),
    Core("TypeError", "$a = $T(«¦$p»)\n=> $a.$x + $n", CLASS),
    Core(
        "TypeError",
        "$a = $T($p)\n=> $a.$h() + $n",
        CLASS + "\n    def $h(«¦self»):\n        return $m\n",
    ),
    Core("TypeError", "$a = [$p, $n]\n=> max(«*$a, key=$m¦$a») + $m"),
)
LOOPS = (
    Core("wrong", "$c = 0\nfor $e in range(1, $p«¦ + 1»):\n    $c += $e\n=> $c + $n"),
    Core("wrong", "$c = 0\n$e = 0\nwhile $e <«¦=» $p:\n    $c += $e\n    $e += 1\n=> $c"),
    Core("wrong", "$a = [$p, 0, $n]\n=> $a[-«2¦1»] + $p"),
    Core("wrong", "$a = [$p, $n, $m]\n=> sum($a[«1¦0»:])"),
    Core("TypeError", "$c = $p\nfor $e in «$n¦range($n)»:\n    $c += $e\n=> $c"),
    Core("wrong", "$c = 0\nfor $e in range($p):\n    $c «=¦+=» $e + $n\n=> $c + $m"),
)
OPERATORS = (
    Core("wrong", "$a = $p «*¦+» $n\n=> $a + 20"),
    Core("TypeError", "$a = [$p, $n]\n=> sum($a «+ $m¦+ [$m]»)"),
    Core("wrong", "$a = $p «/¦//» 2\n=> $a + $n"),
    Core("ZeroDivisionError", "$a = $n - $n\n=> $p // «$a¦($a + 1)»"),
    Core("wrong", "$a = $p «^¦**» 2\n=> $a + $n"),
    Core("wrong", "$a = [$p, $n]\n=> $m if $p «not in¦in» $a else $o"),
)
ALIASES = (
    Core("wrong", "$a = [$p, $n]\n$b = $a«¦[:]»\n$b.append($m)\n=> len($a)"),
    Core("wrong", "$a = [[$p]«] * 2¦, [$p]]»\n$a[0].append($m)\n=> len($a[1])"),
    Core("wrong", "$a = {$n: $p}\n$b = $a«¦.copy()»\n$b[$m] = 1\n=> len($a)"),
    Core("wrong", "$a = [$p, $n, $m]\nfor $e in $a«¦[:]»:\n    $a.remove($e)\n=> len($a)"),
    Core(
        "wrong",
        "$a = $g($p) + $g($p)\n=> len($a)",
        "def $g($q, $r=«[]¦()»):\n    $r «+=¦=» [$q]\n    return $r\n\n",
    ),
    Core(
        "RuntimeError", "$a = {$p: 1}\nfor $e in «$a¦list($a)»:\n    $a[$e + 20] = $n\n=> len($a)"
    ),
)
UNPACKING = (
    Core("ValueError", "$a, $b = «$p, $n, $m¦$p, $n»\n=> $a * $b"),
    Core("ValueError", "$a, $b«, $c¦» = [$p, $n]\n=> $a + $b"),
    Core("TypeError", "$a, $b = «$p¦$p, $n»\n=> $a + $b"),
    Core("TypeError", "$a = ($p, $n)\n«$a[0] = $m¦$a = ($m, $n)»\n=> sum($a)"),
    Core("TypeError", "$a = {«[$p]¦$p»: $n}\n=> len($a) + $m"),
    Core(
        "ValueError", "$a = [($p, $n)]\n$c = 0\nfor $b, $e«, $d¦» in $a:\n    $c += $b * $e\n=> $c"
    ),
)

FAMILIES = {
    "names": UNKNOWN,
    "strings": STRINGS,
    "indices": INDICES,
    "keys": KEYS,
    "attributes": ATTRIBUTES,
    "scopes": SCOPES,
    "returns": RETURNS,
    "arguments": ARGUMENTS,
    "loops": LOOPS,
    "operators": OPERATORS,
    "aliases": ALIASES,
    "unpacking": UNPACKING,
}
HINTS = {
    "names": "use a name that there is",
    "strings": "convert between text and number with str or int",
    "indices": "stay below the length",
    "keys": "ask for a key that there is, or use get",
    "attributes": "call the method by its name",
    "scopes": "give the variable a value first",
    "returns": "return the value",
    "arguments": "give what the function takes",
    "loops": "look at where the range begins and ends",
    "operators": "use another operator",
    "aliases": "make a copy",
    "unpacking": "unpack as many values as there are",
}
PYTHON = Grammar(FAMILIES, HINTS, CONTEXTS, function, FILLER)
