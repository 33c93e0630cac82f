//! The guide for those who come: its commands and formats are understood.

use std::path::Path;
use std::process::Command;

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/migration.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_command_is_understood() {
    let text = guide();
    let blocks = text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let mut asked = 0;
    for line in blocks.flat_map(str::lines) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [program, arguments @ ..] = words.as_slice() else { panic!("{line}") };
        assert_eq!(*program, "lastpost", "{line}");
        let output = Command::new(env!("CARGO_BIN_EXE_lastpost-under-test"))
            .env("LASTPOST_PROGRAM", program)
            .args(arguments)
            // Whatever stands in front of it must be understood; nothing is done.
            .arg("--help")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        asked += 1;
    }
    assert!(asked >= 12, "{asked} commands");
}

#[test]
fn every_format_is_one() {
    let text = guide();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let formats = rows.filter_map(|row| row.rsplit('"').nth(1).filter(|_| row.contains('"')));
    let mut read = 0;
    for format in formats.chain(["%u", "%v-%u", "%v.%u", "dovecot"]) {
        assert!(text.contains(format));
        assert!(format.parse::<maildrop::UidlFormat>().is_ok(), "{format}");
        read += 1;
    }
    assert!(read >= 9, "{read} formats");
}
