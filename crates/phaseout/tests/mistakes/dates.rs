//! Mistakes about zones and dates.

use super::{Case, case, whole};

pub(super) const TABLE: &[Case] = &[
    case(
        r#"zone = "Asia/Tokio"
"#,
        r#"
s.toml:1:8: no zone is called "Asia/Tokio"
1 | zone = "Asia/Tokio"
  |        ^
  help: did you mean "Asia/Tokyo"?"#,
    ),
    case(
        r#"zone = "JST-9"
"#,
        r#"
s.toml:1:8: no zone is called "JST-9"
1 | zone = "JST-9"
  |        ^
  help: write a name of the IANA database, such as "Asia/Tokyo""#,
    ),
    case(
        r"zone = 9
",
        r"
s.toml:1:8: `zone`: invalid type: integer `9`, expected a string
1 | zone = 9
  |        ^",
    ),
    case(
        r#"zoen = "Asia/Tokyo"
"#,
        r#"
s.toml:1:1: unknown key `zoen`, expected one of `zone`, `cohort`, `extension`, `early_closing`
1 | zoen = "Asia/Tokyo"
  | ^
  help: did you mean `zone`?"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
notice = 2027-03-10
closed = 2027-03-10
"#,
        r"
s.toml:5:10: `closed` (2027-03-10) does not come after `notice` (2027-03-10 (UTC), line 4)
5 | closed = 2027-03-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
notice = 2027-03-10
closed = 2027-02-10
"#,
        r"
s.toml:5:10: `closed` (2027-02-10) does not come after `notice` (2027-03-10 (UTC), line 4)
5 | closed = 2027-02-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = [10]
closed = 2027-02-10
"#,
        r"
s.toml:6:10: `closed` (2027-02-10) does not come after `brownout` (2027-03-10 (UTC), line 4)
6 | closed = 2027-02-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before",
    ),
    case(
        r#"zone = "Asia/Tokyo"
[[cohort]]
name = "a"
percent = 10
notice = 2027-03-09T20:00:00Z
closed = 2027-03-10
"#,
        r"
s.toml:6:10: `closed` (2027-03-10) does not come after `notice` (2027-03-10 05:00 (Asia/Tokyo), line 5)
6 | closed = 2027-03-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
closed = "2027-03-10"
"#,
        r#"
s.toml:4:10: `cohort[0].closed`: invalid type: string "2027-03-10", expected a TOML datetime
4 | closed = "2027-03-10"
  |          ^
  help: write a date such as 2027-03-10, without quotes"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
closed = 09:00:00
"#,
        r"
s.toml:4:10: 09:00:00 is a time without a date
4 | closed = 09:00:00
  |          ^
  help: write a date such as 2027-03-10, or a date and a time such as 2027-03-10T09:00:00",
    ),
    case(
        r#"zone = "Europe/Berlin"
[[cohort]]
name = "a"
percent = 10
closed = 2027-03-28T02:30:00
"#,
        r"
s.toml:5:10: 2027-03-28T02:30:00 does not exist in Europe/Berlin: the clock is put forward over it
5 | closed = 2027-03-28T02:30:00
  |          ^
  help: choose a time before or after the change",
    ),
    case(
        r#"zone = "Europe/Berlin"
[[cohort]]
name = "a"
percent = 10
closed = 2027-10-31T02:30:00
"#,
        r"
s.toml:5:10: 2027-10-31T02:30:00 comes twice in Europe/Berlin: the clock is put back over it
5 | closed = 2027-10-31T02:30:00
  |          ^
  help: say which, by offset: 2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00",
    ),
    whole(
        r#"zone = "UTC
"#,
        r#"
s.toml:1:12: invalid basic string, expected `"`
1 | zone = "UTC
  |            ^"#,
    ),
];
