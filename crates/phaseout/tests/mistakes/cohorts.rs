//! Mistakes about whom a cohort takes, and about the file as a whole.

use super::{Case, case, whole};

pub(super) const TABLE: &[Case] = &[
    case(
        r#"database = "x"
"#,
        r#"
s.toml:1:1: unknown key `database`, expected one of `zone`, `cohort`, `extension`, `early_closing`
1 | database = "x"
  | ^"#,
    ),
    case(
        r#"[[cohort]]
nmae = "a"
"#,
        r#"
s.toml:2:1: unknown key `nmae` in `cohort[0]`, expected one of `name`, `domains`, `addresses`, `list`, `percent`, `rest`, `notice`, `brownout`, `brownout_windows`, `brownout_share`, `closed`
2 | nmae = "a"
  | ^
  help: did you mean `name`?"#,
    ),
    case(
        r"[[cohort]]
percent = 10
",
        r#"
s.toml:1:1: the cohort has no `name`
1 | [[cohort]]
  | ^
  help: add a line such as name = "north""#,
    ),
    case(
        r#"[[cohort]]
name = "North Side"
percent = 10
"#,
        r#"
s.toml:2:8: "North Side" is no name for a cohort
2 | name = "North Side"
  |        ^
  help: use 1 to 64 lower-case letters, digits, `-` and `_`"#,
    ),
    case(
        r#"[[cohort]]
name = "rest"
percent = 10
"#,
        r#"
s.toml:6:8: a cohort called "rest" exists already, in line 2
6 | name = "rest"
  |        ^
  help: give each cohort its own name"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
"#,
        r"
s.toml:1:1: the cohort takes nobody
1 | [[cohort]]
  | ^
  help: give it `domains`, `addresses`, `list`, `percent` or `rest = true`",
    ),
    case(
        r#"[[cohort]]
name = "a"
rest = true
"#,
        r"
s.toml:7:8: a second cohort takes the rest; the first does in line 3
7 | rest = true
  |        ^
  help: keep `rest = true` in the last cohort alone",
    ),
    whole(
        r#"[[cohort]]
name = "a"
percent = 10
"#,
        r"
s.toml:1:1: no cohort takes the rest, so that some accounts would be in none
1 | [[cohort]]
  | ^
  help: add a last [[schedule.cohort]] with `rest = true`",
    ),
    whole(
        r#"[[cohort]]
name = "rest"
rest = true
[[cohort]]
name = "late"
percent = 10
"#,
        r"
s.toml:4:1: this cohort stands after the rest and can take nobody
4 | [[cohort]]
  | ^
  help: move it before the cohort with `rest = true`",
    ),
    whole(
        r#"[[cohort]]
name = "a"
rest = true
percent = 10
"#,
        r"
s.toml:3:8: `rest = true` stands beside another selection
3 | rest = true
  |        ^
  help: the rest are all that no other cohort takes: give it its own cohort",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
rest = false
"#,
        r"
s.toml:4:8: `rest = false` says nothing
4 | rest = false
  |        ^
  help: delete the line",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 0
"#,
        r"
s.toml:3:11: `percent` is 0, which is not a percentage
3 | percent = 0
  |           ^
  help: write a number above 0 and up to 100",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 100.5
"#,
        r"
s.toml:3:11: `percent` is 100.5, which is not a percentage
3 | percent = 100.5
  |           ^
  help: write a number above 0 and up to 100",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = nan
"#,
        r"
s.toml:3:11: `percent` is NaN, which is not a percentage
3 | percent = nan
  |           ^
  help: write a number above 0 and up to 100",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = "10"
"#,
        r#"
s.toml:3:11: `cohort[0].percent`: invalid type: string "10", expected a number
3 | percent = "10"
  |           ^"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
domains = ["*.north.example"]
"#,
        r#"
s.toml:3:12: "*.north.example" is no domain: the domain is malformed
3 | domains = ["*.north.example"]
  |            ^
  help: write a domain such as "north.example", without @ or *"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
domains = ["north"]
"#,
        r#"
s.toml:3:12: "north" is no domain: the domain is not fully qualified
3 | domains = ["north"]
  |            ^
  help: write a domain such as "north.example", without @ or *"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
domains = "north.example"
"#,
        r#"
s.toml:3:11: `cohort[0].domains`: invalid type: string "north.example", expected a list
3 | domains = "north.example"
  |           ^
  help: write it in brackets: [ ]"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
domains = ["north.example"]
[[cohort]]
name = "b"
domains = ["east.example", "North.Example"]
"#,
        r#"
s.toml:6:28: north.example belongs to an earlier cohort already, in line 3
6 | domains = ["east.example", "North.Example"]
  |                            ^
  help: the first cohort that matches takes an account: name the domain once"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
addresses = ["a b@*"]
"#,
        r#"
s.toml:3:14: "a b@*" is no address pattern
3 | addresses = ["a b@*"]
  |              ^
  help: write for example "*@*.north.example": 1 to 320 characters, no spaces"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
list = "/nonexistent/list.txt"
"#,
        r#"
s.toml:3:8: /nonexistent/list.txt cannot be read: No such file or directory (os error 2)
3 | list = "/nonexistent/list.txt"
  |        ^
  help: a list is a text file of at most 64 MiB with one account a line"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
list = "/dev/zero"
"#,
        r#"
s.toml:3:8: /dev/zero is not a regular file
3 | list = "/dev/zero"
  |        ^
  help: a list is a text file of at most 64 MiB with one account a line"#,
    ),
    whole(
        r#"[[cohort]]
name = "a"
name = "b"
"#,
        r#"
s.toml:3:1: duplicate key
3 | name = "b"
  | ^"#,
    ),
    whole(
        r#"[cohort]
name = "a"
"#,
        r"
s.toml:1:1: `cohort`: invalid type: table, expected a list
1 | [cohort]
  | ^
  help: write the header with two brackets: [[cohort]]",
    ),
];
