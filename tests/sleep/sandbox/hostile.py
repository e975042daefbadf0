"""A hundred programs that do what they should not.

Each defines f, which gives the right answer only if its attack worked: that it is red proves that
the attack did not. `f(2)` should be 3.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hostile:
    kind: str
    language: str
    code: str


def _python(kind: str, *attacks: str) -> list[Hostile]:
    """`attacks` are bodies of a function that returns whether the attack worked."""
    return [
        Hostile(
            kind,
            "python",
            "def attack():\n"
            + "".join(f"    {line}\n" for line in attack.strip().split("\n"))
            + "def f(n):\n    try:\n        worked = attack()\n"
            "    except Exception:\n        worked = False\n    return n + 1 if worked else 0\n",
        )
        for attack in attacks
    ]


def _rust(kind: str, *attacks: str) -> list[Hostile]:
    """`attacks` are blocks that give whether the attack worked."""
    return [
        Hostile(
            kind,
            "rust",
            f"fn attack() -> bool {{\n{attack}\n}}\n"
            "fn f(n: i32) -> i32 { if attack() { n + 1 } else { 0 } }\n",
        )
        for attack in attacks
    ]


def _whole(kind: str, language: str, *codes: str) -> list[Hostile]:
    return [Hostile(kind, language, code) for code in codes]


NETWORK = [
    *_python(
        "network",
        *(
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
            f"s.settimeout(1)\ns.connect({address})\nreturn True"
            for address in ("('1.1.1.1', 80)", "('8.8.8.8', 53)", "('127.0.0.1', PORT)")
        ),
        "import socket\ns = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)\n"
        "s.settimeout(1)\ns.connect(('2606:4700::1111', 80))\nreturn True",
        "import socket\nreturn bool(socket.gethostbyname('example.com'))",
        "import urllib.request\nreturn bool(urllib.request.urlopen('http://1.1.1.1', timeout=1))",
        "import socket\nreturn len(socket.if_nameindex()) > 1",
    ),
    *_rust(
        "network",
        *(
            f'std::net::TcpStream::connect_timeout(&"{address}".parse().unwrap(), '
            "std::time::Duration::from_secs(1)).is_ok()"
            for address in ("1.1.1.1:80", "127.0.0.1:PORT")
        ),
        'use std::net::ToSocketAddrs; "example.com:80".to_socket_addrs().is_ok()',
    ),
]
FILES = [
    *_python(
        "files",
        *(
            f"return bool(open('{path}').read())"
            for path in ("SECRET", "/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/sudoers")
        ),
        *(
            f"import os\nreturn bool(os.listdir('{path}'))"
            for path in ("HOMEDIR", "/home", "/boot", "/var", "/sys", "/opt")
        ),
        "import os\nreturn 'SECRET_OF_THE_TEST' in os.environ",
        "import os\nreturn 'OUTSIDE' in ''.join(os.environ.values())",
    ),
    *_rust(
        "files",
        *(
            f'std::fs::read_to_string("{path}").is_ok()'
            for path in ("SECRET", "/etc/passwd", "/etc/shadow")
        ),
        'std::fs::read_dir("HOMEDIR").is_ok()',
        'std::env::var("SECRET_OF_THE_TEST").is_ok()',
    ),
]
BUILD = _whole(
    "build",
    "rust",
    *(
        f'const TEXT: &str = include_str!("{path}");\n'
        "fn f(n: i32) -> i32 { if TEXT.len() > 0 { n + 1 } else { 0 } }\n"
        for path in ("SECRET", "/etc/passwd", "/proc/1/environ", "../../../../../etc/shadow")
    ),
    'const BYTES: &[u8] = include_bytes!("SECRET");\nfn f(n: i32) -> i32 { n + BYTES[0] as i32 }\n',
    'const V: Option<&str> = option_env!("SECRET_OF_THE_TEST");\n'
    "fn f(n: i32) -> i32 { if V.is_some() { n + 1 } else { 0 } }\n",
    'const V: &str = env!("SECRET_OF_THE_TEST");\nfn f(n: i32) -> i32 { n + 1 }\n',
    'include!("SECRET");\nfn f(n: i32) -> i32 { n + 1 }\n',
    "macro_rules! m { ($($x:tt)*) => { m!($($x)* $($x)*) } }\n"
    "fn f(n: i32) -> i32 { m!(a); n + 1 }\n",
    '#![recursion_limit = "1000000"]\nmacro_rules! m { ($($x:tt)*) => { m!($($x)* a) } }\n'
    "fn f(n: i32) -> i32 { m!(a); n + 1 }\n",
    "const fn spin() -> i32 { loop {} }\nconst N: i32 = spin();\nfn f(n: i32) -> i32 { n + N }\n",
    "const fn fib(n: u64) -> u64 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }\n"
    "const N: u64 = fib(60);\nfn f(n: i32) -> i32 { n + N as i32 }\n",
    "static BIG: [u8; 1 << 40] = [1; 1 << 40];\nfn f(n: i32) -> i32 { n + BIG[0] as i32 }\n",
)
PROCESSES = [
    *_python(
        "processes",
        "import os, time\nfor _ in range(500):\n    if os.fork() == 0:\n        time.sleep(9)\n"
        "return True",
        "import subprocess\nall = [subprocess.Popen(['sleep', '9']) for _ in range(300)]\n"
        "return True",
        "import os\nos.setsid()\nwhile True:\n    os.fork()",
        "import threading, time\n"
        "all = [threading.Thread(target=time.sleep, args=(9,), daemon=True) for _ in range(999)]\n"
        "[t.start() for t in all]\nreturn True",
    ),
    *_rust(
        "processes",
        'let mut all = vec![]; for _ in 0..300 { match std::process::Command::new("sleep").arg("9")'
        ".spawn() { Ok(child) => all.push(child), Err(_) => return false } } true",
        "let all: Vec<_> = (0..500).map(|_| std::thread::Builder::new().spawn(|| "
        "std::thread::sleep(std::time::Duration::from_secs(9)))).collect(); "
        "all.iter().all(|t| t.is_ok())",
    ),
]
MEMORY = [
    *_python(
        "memory",
        "x = bytearray(8 * 2**30)\nreturn True",
        "x = []\nwhile True:\n    x.append('x' * 10**7)",
        "return bool([0] * 10**10)",
        "import mmap\nreturn bool(mmap.mmap(-1, 2**36))",
    ),
    *_rust(
        "memory",
        "let v = vec![1u8; 8 << 30]; v[5] == 1",
        "let mut v: Vec<Vec<u8>> = vec![]; loop { v.push(vec![1; 100 << 20]); }",
        "let v: Vec<u64> = Vec::with_capacity(1 << 40); v.capacity() > 0",
    ),
]
TIME = [
    *_python(
        "time",
        "while True: pass",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        "return 9 ** 9 ** 9 > 0",
        "import re\nreturn bool(re.match('(a+)+$', 'a' * 40 + 'b')) or True",
    ),
    *_rust(
        "time",
        "loop {}",
        "let mut n = 0u64; while n < u64::MAX { n += 1; std::hint::black_box(n); } true",
    ),
]
DISK = [
    *_python(
        "disk",
        "with open('big', 'wb') as f:\n    for _ in range(5000):\n        f.write(b'x' * 10**6)\n"
        "return True",
        "for k in range(4000):\n    open(f'f{k}', 'wb').write(b'x' * 10**6)\nreturn True",
        "open('/usr/x', 'w').write('x')\nreturn True",
        "open('/tmp/x', 'wb').write(b'x' * 10**9)\nreturn True",
        "open('OUTSIDE/x', 'w').write('x')\nreturn True",
        "import os\nos.mkdir('/x')\nreturn True",
        "for k in range(99):\n    open(f'/dev/shm/{k}', 'wb').write(b'x' * 10**7)\nreturn True",
    ),
    *_rust("disk", 'std::fs::write("/usr/bin/ls", "x").is_ok()'),
]
OUTPUT = [
    *_whole(
        "output",
        "python",
        "while True:\n    print('x' * 1000)\ndef f(n):\n    return n + 1\n",
        "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)\ndef f(n):\n    return n + 1\n",
        "import os\nos.close(1)\ndef f(n):\n    return n + 1\n",
    ),
    *_whole(
        "output",
        "rust",
        'fn f(n: i32) -> i32 { loop { println!("{}", "x".repeat(1000)); } }\n',
        'fn f(n: i32) -> i32 { loop { eprintln!("{}", "x".repeat(1000)); } }\n',
    ),
]
LINKS = _python(
    "links",
    *(
        f"import os\nos.symlink('{path}', 'link')\nreturn bool(open('link').read())"
        for path in ("SECRET", "/etc/passwd", "/proc/1/environ")
    ),
    "import os\nos.link('/etc/passwd', 'link')\nreturn True",
    "import os\nos.symlink('OUTSIDE', 'out')\nopen('out/x', 'w').write('x')\nreturn True",
)
TRICKS = [
    *_python(
        "tricks",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nreturn os.getppid() > 2",
        "import os, signal\nos.kill(PARENT, signal.SIGKILL)\nreturn True",
        "return b'SECRET_OF_THE_TEST' in open('/proc/1/environ', 'rb').read()",
        "return b'SECRET_OF_THE_TEST' in open('/proc/PARENT/environ', 'rb').read()",
        "open('/proc/sys/kernel/hostname', 'w').write('x')\nreturn True",
        "open('/proc/sysrq-trigger', 'w').write('b')\nreturn True",
        "import ctypes\nreturn ctypes.CDLL(None).ptrace(16, PARENT, 0, 0) == 0",
        "import ctypes\nreturn ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, 0) == 0",
        "import os\nos.setuid(0)\nreturn os.getuid() == 0",
        "import os\nos.chroot('/tmp')\nreturn True",
        "import os\nos.nice(-5)\nreturn True",
        "import ctypes\nreturn ctypes.CDLL(None).sethostname(b'x', 1) == 0",
        "import os\nreturn bool(os.open('/dev/mem', os.O_RDONLY))",
    ),
]
IMITATION = [
    *_whole(
        "imitation",
        "python",
        "import os, sys\nprint('1 passed')\nsys.stdout.flush()\nos._exit(0)\n",
        "import sys\nm = sys.argv[1]\nprint(f'{m} 0 0 = ok')\nprint(f'{m} 0 1 = ok')\n"
        "sys.stdout.flush()\nimport os\nos._exit(0)\n",
        "raise SystemExit(0)\n",
        "import sys\nsys.exit(0)\n",
        "def f(n):\n    return __import__('os')._exit(0)\n",
        "class Any:\n    def __eq__(self, other):\n        return True\n"
        "def f(n):\n    return Any()\n",
        "import builtins\nbuiltins.repr = lambda value: 'ok'\ndef f(n):\n    return 0\n",
    ),
    *_whole(
        "imitation",
        "rust",
        'fn f(n: i32) -> i32 { println!("test result: ok. 2 passed"); std::process::exit(0) }\n',
        "fn f(n: i32) -> i32 { let m = std::env::args().nth(1).unwrap(); "
        'println!("{m} 0 0 = ok\\n{m} 0 1 = ok"); std::process::exit(0) }\n',
        "struct Any;\nimpl std::fmt::Debug for Any { fn fmt(&self, f: &mut std::fmt::Formatter) -> "
        'std::fmt::Result { write!(f, "ok") } }\nfn f(n: i32) -> Any { Any }\n',
        'fn f(n: i32) -> i32 { 0 }\n} fn main() { println!("ok"); } mod x {\n',
        "fn f(n: i32) -> i32 { std::process::abort() }\n",
    ),
]
ALL = [
    *(*NETWORK, *FILES, *BUILD, *PROCESSES, *MEMORY, *TIME, *DISK, *OUTPUT, *LINKS, *TRICKS),
    *IMITATION,
]
