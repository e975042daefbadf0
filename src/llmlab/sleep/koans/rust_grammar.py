"""Broken Rust: families of bugs, each bug in several forms, each form in several places."""

from llmlab.sleep.koans.grammar import Core, Grammar, indented


def plain(lines: list[str], result: str) -> list[str]:
    return [*lines, result]


def branch(lines: list[str], result: str) -> list[str]:
    return ["if $p > 3 {", *indented(lines), *indented([f"return {result};"]), "}", "$p + $o"]


def loop(lines: list[str], result: str) -> list[str]:
    inner = indented([*lines, f"$t += {result};"])
    return ["let mut $t = 0;", "for _ in 0..3 {", *inner, "}", "$t"]


def match_arm(lines: list[str], result: str) -> list[str]:
    inner = indented([*lines, result], 2)
    return ["match $p {", "    0 => $o,", "    _ => {", *inner, "    }", "}"]


def block(lines: list[str], result: str) -> list[str]:
    return ["let $t = {", *indented([*lines, result]), "};", "$t * $o"]


def function(body: list[str]) -> list[str]:
    return ["fn $f($p: i32) -> i32 {", *indented(body), "}"]


CONTEXTS = {
    "plain": plain,
    "branch": branch,
    "loop": loop,
    "match": match_arm,
    "block": block,
}
FILLER = (
    "    let $i = $p * 2;",
    "    let $j = [1, 2, 3];",
    '    let $k = "none";',
    "    let $l = $p > 0;",
)

TAKES_VECTOR = """
fn $g($q: Vec<i32>) -> i32 {
    $q.len() as i32
}
"""
RESULT_OF = """
fn $g($q: i32) -> Result<i32, String> {
    if $q > 6 {
        return Err(String::from("$w"));
    }
    Ok($q + $n)
}
"""
STRUCT = """
#[derive(«Debug¦Debug, %s»)]
struct $T {
    $x: i32,
}
"""
ENUM = """
enum $T {
    $V,
    $W,
    $X,
}
"""

MOVES = (
    Core("E0382", "let $a = vec![$p, $n];\nlet $b = «$a¦$a.clone()»;\n=> $a[0] + $b[1]"),
    Core(
        "E0382",
        "let $a = vec![$p, $n];\nlet $b = $g(«$a¦$a.clone()»);\n=> $a[1] + $b",
        TAKES_VECTOR,
    ),
    Core(
        "E0382",
        'let $a = String::from("$w");\nlet $b = «$a¦$a.clone()»;\n'
        "=> $a.len() as i32 + $b.len() as i32 + $p",
    ),
    Core(
        "E0382",
        "let $a = vec![$p, $n];\nlet mut $c = 0;\nfor $e in «$a¦&$a» {\n    $c += $e;\n}\n"
        "=> $c + $a.len() as i32",
    ),
    Core(
        "E0382",
        "let $a = vec![$n];\nlet mut $b = Vec::new();\n$b.push(«$a¦$a.clone()»);\n"
        "=> $a[0] + $b.len() as i32 + $p",
    ),
    Core(
        "E0382",
        "let $a = vec![$p];\nlet $b = Some(«$a¦$a.clone()»);\n=> $a[0] + $b.map_or(0, |$c| $c[0])",
    ),
)
MUTABILITY = (
    Core("E0596", "let «¦mut »$a = vec![$n];\n$a.push($p);\n=> $a[1] + $a[0]"),
    Core("E0384", "let «¦mut »$a = $n;\n$a += $p;\n=> $a"),
    Core("E0384", "let «¦mut »$c = 0;\nfor $e in 0..$n {\n    $c += $e;\n}\n=> $c + $p"),
    Core(
        "E0596",
        'let «¦mut »$a = String::new();\n$a.push_str("$w");\n=> $a.len() as i32 + $p',
    ),
    Core("E0594", "let «¦mut »$a = [$p, $n];\n$a[0] = $m;\n=> $a[0] + $a[1]"),
    Core(
        "E0596",
        "let «¦mut »$a = vec![$n, $p];\n$g(&mut $a);\n=> $a[0]",
        """
fn $g($q: &mut Vec<i32>) {
    $q.sort();
}
""",
    ),
)
BORROWS = (
    Core(
        "E0502",
        "let mut $a = vec![$p, $n];\nlet $b = «&¦»$a[0];\n$a.push($m);\n=> $b + $a[2]",
    ),
    Core("E0506", "let mut $a = $p;\nlet $b = «&¦»$a;\n$a += $n;\n=> $a + $b"),
    Core(
        "E0499",
        "let mut $a = vec![$p];\nlet $b = &mut $a;\n$b.push($n);\nlet $c = &mut $a;\n"
        "$c.push($m);\n«$b¦$c».push($o);\n=> $a.len() as i32",
    ),
    Core(
        "E0502",
        "let mut $a = vec![$p, $n];\nfor $e in «$a¦$a.clone()».iter() {\n    $a.push(*$e);\n}\n"
        "=> $a.len() as i32 + $a[3]",
    ),
    Core(
        "E0505",
        "let $a = vec![$p, $n];\nlet $b = &$a;\nlet $c = «$a¦$a.clone()»;\n=> $b[0] + $c[1]",
    ),
    Core(
        "E0502",
        'let mut $a = String::from("$w");\nlet $b = «&$a¦$a.clone()»;\n$a.push_str("$u");\n'
        "=> $b.len() as i32 + $a.len() as i32 + $p",
    ),
)
TRAITS = (
    Core(
        "E0599",
        "let $a = $T { $x: $p };\nlet $b = $a.clone();\n=> $a.$x + $b.$x",
        STRUCT % "Clone",
    ),
    Core(
        "E0369",
        "let $a = $T { $x: $p };\nlet $b = $T { $x: $n };\n=> if $a == $b { $m } else { $n }",
        STRUCT % "PartialEq",
    ),
    Core(
        "E0382",
        "let $a = $T { $x: $p };\nlet $b = $a;\n=> $a.$x + $b.$x + $n",
        STRUCT % "Clone, Copy",
    ),
    Core(
        "E0277",
        'let $a = $T { $x: $p };\nlet $b = format!("{:?}", $a);\n=> $b.len() as i32',
        "#[derive(«Clone¦Clone, Debug»)]\nstruct $T {\n    $x: i32,\n}\n",
    ),
    Core("E0599", "let $a = $T::default();\n=> $a.$x + $p", STRUCT % "Default"),
    Core(
        "E0369",
        "let $a = $T { $x: $p };\nlet $b = $T { $x: $n };\n=> if $a < $b { $m } else { $n }",
        "#[derive(«PartialEq¦PartialEq, PartialOrd»)]\nstruct $T {\n    $x: i32,\n}\n",
    ),
)
BOUNDS = (
    Core(
        "E0369",
        "let $a = $g($p, $n);\n=> if $a { $m } else { $n }",
        "fn $g<T: «Copy¦Copy + PartialOrd»>($q: T, $r: T) -> bool {\n    $q > $r\n}\n",
    ),
    Core(
        "E0382",
        "let $a = $g($p);\n=> $a.0 + $a.1",
        "fn $g<T«¦: Copy»>($q: T) -> (T, T) {\n    ($q, $q)\n}\n",
    ),
    Core(
        "E0599",
        "let $a = $g($p);\n=> $a.len() as i32 + $n",
        "fn $g<T«¦: ToString»>($q: T) -> String {\n    $q.to_string()\n}\n",
    ),
    Core(
        "E0277",
        "let $a = $g($p);\n=> $a.len() as i32 + $n",
        'fn $g<T«¦: std::fmt::Debug»>($q: T) -> String {\n    format!("{:?}", $q)\n}\n',
    ),
    Core(
        "E0369",
        "let $a = $g($p, $n);\n=> if $a { $m } else { $n }",
        "fn $g<T: «Clone¦Clone + PartialEq»>($q: T, $r: T) -> bool {\n    $q == $r\n}\n",
    ),
    Core(
        "E0277",
        "let $a = $g($p);\n=> $a + $n",
        "fn $g<T«¦: Into<i32>»>($q: T) -> i32 {\n    $h($q)\n}\n"
        "fn $h<T: Into<i32>>($q: T) -> i32 {\n    $q.into()\n}\n",
    ),
)
RESULTS = (
    Core(
        "E0308",
        "let $a = $g($p);\n=> $a.unwrap_or($m)",
        "fn $g($q: i32) -> Result<i32, String> {\n    if $q > 6 {\n"
        '        return Err(String::from("$w"));\n    }\n    «$q + $n¦Ok($q + $n)»\n}\n',
    ),
    Core("E0369", "let $a = $g($p)«¦.unwrap_or($m)»;\n=> $a + $o", RESULT_OF),
    Core("E0308", "let $a: i32 = $g($p)«¦.unwrap_or($m)»;\n=> $a", RESULT_OF),
    Core("E0308", 'let $a: i32 = "$n".parse()«¦.unwrap_or($m)»;\n=> $a + $p'),
    Core("E0277", "let $a = $g($p)«?¦.unwrap_or($m)»;\n=> $a + $o", RESULT_OF),
    Core(
        "E0308",
        "let $a = $g($p);\n=> if $a.is_ok() { $m } else { $n }",
        "fn $g($q: i32) -> Result<i32, String> {\n    if $q > 6 {\n"
        '        return Err(«"$w"¦String::from("$w")»);\n    }\n    Ok($q + $n)\n}\n',
    ),
)
OPTIONS = (
    Core("E0369", "let $a = vec![$p, $n];\nlet $b = $a.first()«¦.unwrap_or(&$m)»;\n=> $b + $n"),
    Core(
        "E0308",
        "let $a = vec![$p, $n];\nlet $b: i32 = $a.iter().copied().max()«¦.unwrap_or($m)»;\n=> $b",
    ),
    Core(
        "panic",
        "let $a: Vec<i32> = Vec::new();\nlet $b = $a.first().copied().unwrap«¦_or»(«¦$n»);\n"
        "=> $b + $p",
    ),
    Core(
        "E0308",
        "let $a = $g($p);\n=> $a.unwrap_or($m)",
        "fn $g($q: i32) -> Option<i32> {\n    if $q > 6 {\n        return None;\n    }\n"
        "    «$q + $n¦Some($q + $n)»\n}\n",
    ),
    Core(
        "E0308",
        "let $a = $g($p);\n=> $a.unwrap_or($m)",
        "fn $g($q: i32) -> Option<i32> {\n    if $q > 6 {\n        return «$n¦Some($n)»;\n    }\n"
        "    None\n}\n",
    ),
    Core(
        "E0369",
        "let $a = Some($p);\nlet $b = match $a {\n    «$c¦Some($c)» => $c + $n,\n    _ => $m,\n};\n"
        "=> $b + 1",
    ),
)
STRINGS = (
    Core("E0308", 'let $a: String = «"$w"¦String::from("$w")»;\n=> $a.len() as i32 + $p'),
    Core(
        "E0308",
        'let $a = String::from("$w");\n=> $g(«¦&»$a) + $p',
        "fn $g($q: &str) -> i32 {\n    $q.len() as i32\n}\n",
    ),
    Core(
        "E0308",
        'let $a = $g(«"$w"¦String::from("$w")»);\n=> $a + $p',
        "fn $g($q: String) -> i32 {\n    $q.len() as i32\n}\n",
    ),
    Core(
        "E0369",
        'let $a = «"$w"¦String::from("$w")»;\nlet $b = $a + "$u";\n=> $b.len() as i32 + $p',
    ),
    Core("E0277", 'let $a = "$w";\nlet $b = $a«¦.as_bytes()»[0];\n=> $b as i32 + $p'),
    Core(
        "E0308",
        'let $a = $T { $x: «"$w"¦String::from("$w")» };\n=> $a.$x.len() as i32 + $p',
        "struct $T {\n    $x: String,\n}\n",
    ),
)
CASTS = (
    Core("E0308", "let $a: i64 = $n;\n=> $p + $a«¦ as i32»"),
    Core("E0308", "let $a: usize = $p«¦ as usize»;\n=> $a as i32 + $n"),
    Core("E0277", "let $a = vec![$n, $m, $p];\nlet $b = $p % 3;\n=> $a[$b«¦ as usize»]"),
    Core(
        "E0308",
        "let $a = $p % $n;\n=> $g($a«¦ as u8»)",
        "fn $g($q: u8) -> i32 {\n    $q as i32 + $m\n}\n",
    ),
    Core("E0308", "let $a: f64 = $p«¦ as f64»;\n=> ($a * 2.0) as i32"),
    Core("E0308", "let $a = vec![$n, $m, $p];\nlet $b: i32 = $a.len()«¦ as i32»;\n=> $b + $p"),
)
LIFETIMES = (
    Core(
        "E0106",
        'let $a = $g("$w", "$u");\n=> $a.len() as i32 + $p',
        "fn $g«¦<'a>»($q: &«¦'a »str, $r: &«¦'a »str) -> &«¦'a »str {\n"
        "    if $q.len() > $r.len() { $q } else { $r }\n}\n",
    ),
    Core(
        "E0106",
        "let $a = $T { $x: &$p };\n=> *$a.$x + $n",
        "struct $T«¦<'a>» {\n    $x: &«¦'a »i32,\n}\n",
    ),
    Core(
        "E0515",
        "let $a = $g($p);\n=> $a.len() as i32 + $n",
        "fn $g($q: i32) -> «&'static str¦String» {\n"
        "    let $r = $q.to_string();\n    «&$r¦$r»\n}\n",
    ),
    Core(
        "E0621",
        "let $a = $n;\nlet $b = $g(&$p, &$a);\n=> *$b + $m",
        "fn $g<'a>($q: &'a i32, $r: &«¦'a »i32) -> &'a i32 {\n"
        "    if $q > $r { $q } else { $r }\n}\n",
    ),
    Core(
        "E0597",
        "let $a;\n{\n    let $b = $p + $n;\n    $a = «&¦»$b;\n}\n=> $a + $m",
    ),
    Core(
        "E0106",
        "let $a = [$p, $n];\nlet $b = $g(&$a, &$p);\n=> $b + $m",
        "fn $g«¦<'a>»($q: &«¦'a »[i32], $r: &«¦'a »i32) -> &«¦'a »i32 {\n"
        "    $q.first().unwrap_or($r)\n}\n",
    ),
)
MATCHES = (
    Core(
        "E0004",
        "let $a = if $p > 2 { $T::$V } else { $T::$W };\nlet $b = match $a {\n"
        "    $T::$V => $n,\n    «$T::$W¦_» => $m,\n};\n=> $b + $p",
        ENUM,
    ),
    Core("E0004", "let $b = match $p % 3 {\n    0 => $n,\n    «1¦_» => $m,\n};\n=> $b + $p"),
    Core(
        "E0004",
        "let $a = vec![$p, $n];\nlet $b = match $a.first() {\n    Some($c) => *$c,\n"
        "    «Some(_)¦None» => $m,\n};\n=> $b + $n",
    ),
    Core(
        "E0004",
        "let $b = match $p > 2 {\n    true => $n,\n    «true¦false» => $m,\n};\n=> $b + $p",
    ),
    Core(
        "E0004",
        "let $b = match ($p, $n) {\n    (0, _) => $m,\n    «(_, 1)¦(_, _)» => $n,\n};\n=> $b + $p",
    ),
    Core(
        "E0532",
        "let $a = if $p > 2 { $T::$V($p) } else { $T::$W };\nlet $b = match $a {\n"
        "    $T::$V«¦(_)» => $n,\n    $T::$W => $m,\n};\n=> $b + $p",
        "enum $T {\n    $V(i32),\n    $W,\n}\n",
    ),
)
RANGES = (
    Core("wrong", "let mut $c = 0;\nfor $e in 1..«¦=»$p {\n    $c += $e;\n}\n=> $c + $n"),
    Core(
        "wrong",
        "let mut $c = 0;\nlet mut $e = 0;\nwhile $e <«¦=» $p {\n    $c += $e;\n    $e += 1;\n}\n"
        "=> $c",
    ),
    Core("wrong", "let $a = vec![$p, 0, $n];\n=> $a[$a.len() - «2¦1»] + $p"),
    Core("wrong", "let $a = vec![$p, $n, $m];\n=> $a.iter().skip(«1¦0»).sum::<i32>()"),
    Core(
        "wrong",
        "let $a = vec![$p, $n, $m];\nlet mut $c = 0;\nfor $e in «1¦0»..$a.len() {\n"
        "    $c += $a[$e];\n}\n=> $c",
    ),
    Core(
        "panic",
        "let $a = vec![$n, $m];\nlet mut $c = $p;\nfor $e in 0..«=¦»$a.len() {\n"
        "    $c += $a[$e];\n}\n=> $c",
    ),
)
ARGUMENTS = (
    Core(
        "E0061",
        "let $a = $g($p«¦, $n»);\n=> $a + $m",
        "fn $g($q: i32, $r: i32) -> i32 {\n    $q * $r\n}\n",
    ),
    Core(
        "E0061",
        "let $a = $g(«$p, $n¦$p»);\n=> $a + $m",
        "fn $g($q: i32) -> i32 {\n    $q + $o\n}\n",
    ),
    Core(
        "E0308", "let $a = $g(«¦&»$p);\n=> $a + $m", "fn $g($q: &i32) -> i32 {\n    *$q + $n\n}\n"
    ),
    Core(
        "E0308",
        "let $a = vec![$p, $n];\n=> $g(«¦&»$a)",
        "fn $g($q: &[i32]) -> i32 {\n    $q[0] + $q[1]\n}\n",
    ),
    Core("E0308", "let $a = $g($p);\n=> $a + $m", "fn $g($q: i32) -> i32 {\n    $q + $n«;¦»\n}\n"),
    Core(
        "E0063",
        "let $a = $T { $x: $p«¦, $y: $n» };\n=> $a.$x * $a.$y",
        "struct $T {\n    $x: i32,\n    $y: i32,\n}\n",
    ),
)
ITERATORS = (
    Core("E0308", "let $a: Vec<i32> = (0..$n)«¦.collect()»;\n=> $a.len() as i32 + $p"),
    Core(
        "E0308",
        "let $a = vec![$p, $n];\nlet $b: Vec<i32> = $a.iter().map(|$c| $c + $m)«¦.collect()»;\n"
        "=> $b[0] + $b[1]",
    ),
    Core("E0308", "let $a = vec![$p, $n];\nlet $b: i32 = $a.iter()«¦.sum()»;\n=> $b + $m"),
    Core("E0277", "let mut $c = $p;\nfor $e in «$n¦0..$n» {\n    $c += $e;\n}\n=> $c"),
    Core(
        "E0614",
        "let $a = vec![$p, $n];\nlet $b: i32 = $a.into_iter().map(|$c| «*¦»$c * $m).sum();\n=> $b",
    ),
    Core(
        "E0282",
        "let $a = vec![$p, $n];\nlet $b«¦: i32» = $a.iter().sum();\n=> $b.max($m)",
    ),
)
VISIBILITY = (
    Core(
        "E0603",
        "let $a = $g::$h($p);\n=> $a + $n",
        "mod $g {\n    «¦pub »fn $h($q: i32) -> i32 {\n        $q * $m\n    }\n}\n",
    ),
    Core(
        "E0616",
        "let $a = $g::$T::new($p);\n=> $a.$x + $n",
        "mod $g {\n    pub struct $T {\n        «¦pub »$x: i32,\n    }\n    impl $T {\n"
        "        pub fn new($x: i32) -> $T {\n            $T { $x }\n        }\n    }\n}\n",
    ),
    Core(
        "E0624",
        "let $a = $g::$T { $x: $p };\n=> $a.$h() + $n",
        "mod $g {\n    pub struct $T {\n        pub $x: i32,\n    }\n    impl $T {\n"
        "        «¦pub »fn $h(&self) -> i32 {\n            self.$x\n        }\n    }\n}\n",
    ),
    Core(
        "E0603",
        "let $a = $g::$T { $x: $p };\n=> $a.$x + $n",
        "mod $g {\n    «¦pub »struct $T {\n        pub $x: i32,\n    }\n}\n",
    ),
    Core(
        "E0425",
        "let $a = «¦$g::»$h($p);\n=> $a + $n",
        "mod $g {\n    pub fn $h($q: i32) -> i32 {\n        $q * $m\n    }\n}\n",
    ),
    Core(
        "E0451",
        "let $a = $g::$T { $x: $p };\n=> $a.$h() + $n",
        "mod $g {\n    pub struct $T {\n        «¦pub »$x: i32,\n    }\n    impl $T {\n"
        "        pub fn $h(&self) -> i32 {\n            self.$x\n        }\n    }\n}\n",
    ),
)
CLOSURES = (
    Core(
        "E0373",
        "let $a = $g($n);\n=> $a($p)",
        "fn $g($q: i32) -> impl Fn(i32) -> i32 {\n    «¦move »|$r| $r + $q\n}\n",
    ),
    Core("E0596", "let mut $c = 0;\nlet «¦mut »$a = || $c += $n;\n$a();\n=> $c + $p"),
    Core(
        "E0525",
        "let $a = vec![$n, $p];\nlet $b = || «$a¦$a.clone()».into_iter().sum::<i32>();\n=> $g($b)",
        "fn $g($q: impl Fn() -> i32) -> i32 {\n    $q() + $m\n}\n",
    ),
    Core("E0057", "let $a = |$c: i32| $c + $n;\n=> $a($p«, $m¦»)"),
    Core(
        "E0373",
        "let $a = $g($n);\n=> $a()",
        "fn $g($q: i32) -> Box<dyn Fn() -> i32> {\n    Box::new(«¦move »|| $q + $m)\n}\n",
    ),
    Core(
        "E0594",
        "let mut $c = $p;\n$g(|| $c += $n);\n=> $c",
        "fn $g(«$q¦mut $q»: impl «Fn¦FnMut»()) {\n    $q();\n}\n",
    ),
)
OVERFLOW = (
    Core(
        "panic", "let $a = $p as u32;\nlet $b = $a« - 20¦.saturating_sub(20)»;\n=> $b as i32 + $n"
    ),
    Core(
        "panic",
        "let $a = $p as u8 + 246;\nlet $b = $a« + 20¦.saturating_add(20)»;\n=> $b as i32",
    ),
    Core(
        "panic",
        "let $a = $p as u8 + 99;\nlet $b = $a« * 3¦.saturating_mul(3)»;\n=> $b as i32",
    ),
    Core(
        "panic",
        "let $a = vec![$p, $n];\nlet $b = $a.len()« - 3¦.saturating_sub(3)»;\n=> $b as i32 + $p",
    ),
    Core(
        "panic",
        "let $a = i32::MAX - $p;\nlet $b = $a« + 20¦.saturating_add(20)»;\n=> $b / 1000",
    ),
    Core("panic", "let $a = i32::MIN + $p;\nlet $b = $a« - 20¦.saturating_sub(20)»;\n=> $b / 1000"),
)

FAMILIES = {
    "moves": MOVES,
    "mutability": MUTABILITY,
    "borrows": BORROWS,
    "traits": TRAITS,
    "bounds": BOUNDS,
    "results": RESULTS,
    "options": OPTIONS,
    "strings": STRINGS,
    "casts": CASTS,
    "lifetimes": LIFETIMES,
    "matches": MATCHES,
    "ranges": RANGES,
    "arguments": ARGUMENTS,
    "iterators": ITERATORS,
    "visibility": VISIBILITY,
    "closures": CLOSURES,
    "overflow": OVERFLOW,
}
HINTS = {
    "moves": "clone what is needed again",
    "mutability": "say mut",
    "borrows": "copy the value before the other use",
    "traits": "derive the trait",
    "bounds": "ask for the trait in a bound",
    "results": "take the value out of the Result, or wrap it in Ok",
    "options": "take the value out of the Option, or wrap it in Some",
    "strings": "make a String of it, or borrow it",
    "casts": "convert with as",
    "lifetimes": "name the lifetime, or give out the value itself",
    "matches": "cover every value",
    "ranges": "look at where the range begins and ends",
    "arguments": "give what the function takes",
    "iterators": "consume the iterator",
    "visibility": "say pub",
    "closures": "say move, mut or FnMut",
    "overflow": "use saturating arithmetic",
}
RUST = Grammar(FAMILIES, HINTS, CONTEXTS, function, FILLER)
