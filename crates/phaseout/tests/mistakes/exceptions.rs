//! Mistakes about exceptions for single accounts.

use super::{Case, case};

pub(super) const TABLE: &[Case] = &[
    case(
        r#"[[extension]]
account = "a b"
until = 2027-04-10
reason = "r"
"#,
        r#"
s.toml:2:11: not an account name: it holds a character no account name may hold
2 | account = "a b"
  |           ^
  help: write the login name of one account"#,
    ),
    case(
        r#"[[extension]]
account = "a@x.example"
until = 2027-04-10
reason = " "
"#,
        r#"
s.toml:4:10: `reason` must have 1 to 500 characters
4 | reason = " "
  |          ^
  help: say for those who read it later why the account is an exception"#,
    ),
    case(
        r#"[[extension]]
account = "a@x.example"
until = 2027-04-10
"#,
        r"
s.toml:1:1: `extension[0]`: missing field `reason`
1 | [[extension]]
  | ^",
    ),
    case(
        r#"[[extension]]
account = "a"
until = 2027-04-10
reason = "r"
[[extension]]
account = "A@isp.example"
until = 2027-05-10
reason = "r"
"#,
        r#"
s.toml:6:11: the account has an extension already, in line 3
6 | account = "A@isp.example"
  |           ^
  help: keep one of the two"#,
    ),
    case(
        r#"[[early_closing]]
account = "a"
from = 2027-04-10
reason = "r"
[[early_closing]]
account = "a"
from = 2027-04-10
reason = "r"
"#,
        r#"
s.toml:6:11: the account has an early closing already, in line 3
6 | account = "a"
  |           ^
  help: keep one of the two"#,
    ),
    case(
        r#"[[extension]]
account = "a"
until = 2027-04-10
reason = "r"
[[early_closing]]
account = "a"
from = 2027-04-09
reason = "r"
"#,
        r#"
s.toml:6:11: the account closes early while its extension in line 3 runs
6 | account = "a"
  |           ^
  help: delete one of the two, or let the closing begin where the extension ends"#,
    ),
];
