//! Mistakes about brownouts.

use super::{Case, case};

pub(super) const TABLE: &[Case] = &[
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
"#,
        r"
s.toml:4:12: a brownout begins but refuses nothing
4 | brownout = 2027-03-10
  |            ^
  help: add `brownout_windows` or `brownout_share`, or delete `brownout`",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout_share = [10]
"#,
        r"
s.toml:4:18: this says what a brownout refuses, but no brownout begins
4 | brownout_share = [10]
  |                  ^
  help: add `brownout` with a date, or delete this",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout_windows = [{ days = ["tue"], from = "10:00", to = "12:00" }]
"#,
        r#"
s.toml:4:21: this says what a brownout refuses, but no brownout begins
4 | brownout_windows = [{ days = ["tue"], from = "10:00", to = "12:00" }]
  |                     ^
  help: add `brownout` with a date, or delete this"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_windows = [{ days = ["tues"], from = "10:00", to = "12:00" }]
"#,
        r#"
s.toml:5:31: "tues" is no day of the week
5 | brownout_windows = [{ days = ["tues"], from = "10:00", to = "12:00" }]
  |                               ^
  help: did you mean "tue"?"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_windows = [{ days = [], from = "10:00", to = "12:00" }]
"#,
        r#"
s.toml:5:21: the window has no days
5 | brownout_windows = [{ days = [], from = "10:00", to = "12:00" }]
  |                     ^
  help: add days = ["tue"]"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_windows = [{ days = ["tue"], from = "22:00", to = "02:00" }]
"#,
        r#"
s.toml:5:60: the window ends at 02:00 before it begins
5 | brownout_windows = [{ days = ["tue"], from = "22:00", to = "02:00" }]
  |                                                            ^
  help: a window lies within one day: write two, the first up to 24:00"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_windows = [{ days = ["tue"], from = "22:00", to = "24:30" }]
"#,
        r#"
s.toml:5:60: "24:30" is no time of day
5 | brownout_windows = [{ days = ["tue"], from = "22:00", to = "24:30" }]
  |                                                            ^
  help: write HH:MM, from 00:00 to 24:00"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_windows = [
  { days = ["tue", "thu"], from = "10:00", to = "12:00" },
  { days = ["thu"], from = "11:00", to = "13:00" },
]
"#,
        r#"
s.toml:7:3: this window overlaps the one in line 6
7 |   { days = ["thu"], from = "11:00", to = "13:00" },
  |   ^
  help: merge the two, or shorten one"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_windows = [{ days = ["tue"], from = "10:00" }]
"#,
        r#"
s.toml:5:21: `cohort[0].brownout_windows[0]`: missing field `to`
5 | brownout_windows = [{ days = ["tue"], from = "10:00" }]
  |                     ^"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = 10
"#,
        r"
s.toml:5:18: `cohort[0].brownout_share`: invalid type: integer `10`, expected a list
5 | brownout_share = 10
  |                  ^
  help: write it in brackets: [ ]",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = []
"#,
        r"
s.toml:5:18: `brownout_share` must have one number, or two
5 | brownout_share = []
  |                  ^
  help: write for example [10], or [5, 50] for a share that rises",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = [0]
"#,
        r"
s.toml:5:18: `brownout_share` holds a number that is not a percentage
5 | brownout_share = [0]
  |                  ^
  help: write numbers above 0 and up to 100",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
closed = 2027-04-10
brownout_share = [50, 10]
"#,
        r"
s.toml:6:18: `brownout_share` falls, but a retirement only gets stricter
6 | brownout_share = [50, 10]
  |                  ^
  help: write the smaller share first",
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = [10, 50]
"#,
        r"
s.toml:5:18: `brownout_share` rises towards `closed`, but the cohort is never closed
5 | brownout_share = [10, 50]
  |                  ^
  help: add `closed` with a date, or write one number",
    ),
];
