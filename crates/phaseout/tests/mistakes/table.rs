// The table of `mistakes.rs`: first the file, then what is said.
const TABLE: &[Case] = &[
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
        r#"zone = 9
"#,
        r#"
s.toml:1:8: `zone`: invalid type: integer `9`, expected a string
1 | zone = 9
  |        ^"#,
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
        r#"[[cohort]]
percent = 10
"#,
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
        r#"
s.toml:1:1: the cohort takes nobody
1 | [[cohort]]
  | ^
  help: give it `domains`, `addresses`, `list`, `percent` or `rest = true`"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
rest = true
"#,
        r#"
s.toml:7:8: a second cohort takes the rest; the first does in line 3
7 | rest = true
  |        ^
  help: keep `rest = true` in the last cohort alone"#,
    ),
    whole(
        r#"[[cohort]]
name = "a"
percent = 10
"#,
        r#"
s.toml:1:1: no cohort takes the rest, so that some accounts would be in none
1 | [[cohort]]
  | ^
  help: add a last [[schedule.cohort]] with `rest = true`"#,
    ),
    whole(
        r#"[[cohort]]
name = "rest"
rest = true
[[cohort]]
name = "late"
percent = 10
"#,
        r#"
s.toml:4:1: this cohort stands after the rest and can take nobody
4 | [[cohort]]
  | ^
  help: move it before the cohort with `rest = true`"#,
    ),
    whole(
        r#"[[cohort]]
name = "a"
rest = true
percent = 10
"#,
        r#"
s.toml:3:8: `rest = true` stands beside another selection
3 | rest = true
  |        ^
  help: the rest are all that no other cohort takes: give it its own cohort"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
rest = false
"#,
        r#"
s.toml:4:8: `rest = false` says nothing
4 | rest = false
  |        ^
  help: delete the line"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 0
"#,
        r#"
s.toml:3:11: `percent` is 0, which is not a percentage
3 | percent = 0
  |           ^
  help: write a number above 0 and up to 100"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 100.5
"#,
        r#"
s.toml:3:11: `percent` is 100.5, which is not a percentage
3 | percent = 100.5
  |           ^
  help: write a number above 0 and up to 100"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = nan
"#,
        r#"
s.toml:3:11: `percent` is NaN, which is not a percentage
3 | percent = nan
  |           ^
  help: write a number above 0 and up to 100"#,
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
    case(
        r#"[[cohort]]
name = "a"
percent = 10
notice = 2027-03-10
closed = 2027-03-10
"#,
        r#"
s.toml:5:10: `closed` (2027-03-10) does not come after `notice` (2027-03-10 (UTC), line 4)
5 | closed = 2027-03-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
notice = 2027-03-10
closed = 2027-02-10
"#,
        r#"
s.toml:5:10: `closed` (2027-02-10) does not come after `notice` (2027-03-10 (UTC), line 4)
5 | closed = 2027-02-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = [10]
closed = 2027-02-10
"#,
        r#"
s.toml:6:10: `closed` (2027-02-10) does not come after `brownout` (2027-03-10 (UTC), line 4)
6 | closed = 2027-02-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before"#,
    ),
    case(
        r#"zone = "Asia/Tokyo"
[[cohort]]
name = "a"
percent = 10
notice = 2027-03-09T20:00:00Z
closed = 2027-03-10
"#,
        r#"
s.toml:6:10: `closed` (2027-03-10) does not come after `notice` (2027-03-10 05:00 (Asia/Tokyo), line 5)
6 | closed = 2027-03-10
  |          ^
  help: phases come in the order notice, brownout, closed, each later than the one before"#,
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
        r#"
s.toml:4:10: 09:00:00 is a time without a date
4 | closed = 09:00:00
  |          ^
  help: write a date such as 2027-03-10, or a date and a time such as 2027-03-10T09:00:00"#,
    ),
    case(
        r#"zone = "Europe/Berlin"
[[cohort]]
name = "a"
percent = 10
closed = 2027-03-28T02:30:00
"#,
        r#"
s.toml:5:10: 2027-03-28T02:30:00 does not exist in Europe/Berlin: the clock is put forward over it
5 | closed = 2027-03-28T02:30:00
  |          ^
  help: choose a time before or after the change"#,
    ),
    case(
        r#"zone = "Europe/Berlin"
[[cohort]]
name = "a"
percent = 10
closed = 2027-10-31T02:30:00
"#,
        r#"
s.toml:5:10: 2027-10-31T02:30:00 comes twice in Europe/Berlin: the clock is put back over it
5 | closed = 2027-10-31T02:30:00
  |          ^
  help: say which, by offset: 2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
"#,
        r#"
s.toml:4:12: a brownout begins but refuses nothing
4 | brownout = 2027-03-10
  |            ^
  help: add `brownout_windows` or `brownout_share`, or delete `brownout`"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout_share = [10]
"#,
        r#"
s.toml:4:18: this says what a brownout refuses, but no brownout begins
4 | brownout_share = [10]
  |                  ^
  help: add `brownout` with a date, or delete this"#,
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
        r#"
s.toml:5:18: `cohort[0].brownout_share`: invalid type: integer `10`, expected a list
5 | brownout_share = 10
  |                  ^
  help: write it in brackets: [ ]"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = []
"#,
        r#"
s.toml:5:18: `brownout_share` must have one number, or two
5 | brownout_share = []
  |                  ^
  help: write for example [10], or [5, 50] for a share that rises"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = [0]
"#,
        r#"
s.toml:5:18: `brownout_share` holds a number that is not a percentage
5 | brownout_share = [0]
  |                  ^
  help: write numbers above 0 and up to 100"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
closed = 2027-04-10
brownout_share = [50, 10]
"#,
        r#"
s.toml:6:18: `brownout_share` falls, but a retirement only gets stricter
6 | brownout_share = [50, 10]
  |                  ^
  help: write the smaller share first"#,
    ),
    case(
        r#"[[cohort]]
name = "a"
percent = 10
brownout = 2027-03-10
brownout_share = [10, 50]
"#,
        r#"
s.toml:5:18: `brownout_share` rises towards `closed`, but the cohort is never closed
5 | brownout_share = [10, 50]
  |                  ^
  help: add `closed` with a date, or write one number"#,
    ),
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
        r#"
s.toml:1:1: `extension[0]`: missing field `reason`
1 | [[extension]]
  | ^"#,
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
    whole(
        r#"zone = "UTC
"#,
        r#"
s.toml:1:12: invalid basic string, expected `"`
1 | zone = "UTC
  |            ^"#,
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
        r#"
s.toml:1:1: `cohort`: invalid type: table, expected a list
1 | [cohort]
  | ^
  help: write the header with two brackets: [[cohort]]"#,
    ),
];
