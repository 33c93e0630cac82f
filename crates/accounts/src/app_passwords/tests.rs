//! App passwords as operator, daemons and attackers meet them.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use auth::{Clock as _, ManualClock};
use jiff::Timestamp;

use super::*;

mod figures;

const NOW: i64 = 1_800_000_000;

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

fn moment(seconds: i64) -> Moment {
    ManualClock::new(instant(seconds)).now()
}

fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, None).unwrap()
}

struct House {
    directory: tempfile::TempDir,
    store: AppPasswordStore,
}

impl House {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = AppPasswordStore::open(directory.path()).unwrap();
        Self { directory, store }
    }

    fn editor(&self) -> AppPasswordEditor {
        AppPasswordEditor::open(self.directory.path()).unwrap()
    }

    fn add(&self, login: &str, name: &str) -> String {
        self.editor().add(&key(login), name, None, None, instant(0)).unwrap().to_string()
    }

    async fn ask(&self, login: &str, typed: &str, service: Service, at: i64) -> Option<String> {
        let (account, secret) = (key(login), Secret::from(typed));
        let client = "::ffff:192.0.2.7".parse().unwrap();
        let checked = self.store.check(&account, &secret, service, client, moment(at)).await;
        checked.unwrap().map(|name| name.0.into())
    }

    async fn pop3(&self, login: &str, typed: &str) -> Option<String> {
        self.ask(login, typed, Service::Pop3, 1).await
    }

    fn path(&self) -> PathBuf {
        file_in(self.directory.path())
    }
}

#[tokio::test]
async fn made_used_and_revoked() {
    let house = House::new();
    let phone = "ann@example.net";
    assert_eq!(house.pop3(phone, "abcd-efgh").await, None, "there is no file yet");
    assert!(!house.path().exists(), "asking makes none");
    let shown = house.add(phone, "my phone");
    assert!(house.store.has_shape(&Secret::from(&*shown)));
    assert_eq!(house.pop3(phone, &shown).await.as_deref(), Some("my phone"));
    let typed = shown.replace('-', " ").to_uppercase();
    assert_eq!(house.pop3(phone, &typed).await.as_deref(), Some("my phone"));
    // It is this account's alone, and one that nobody was given is nobody's.
    assert_eq!(house.pop3("bob@example.net", &shown).await, None);
    let other = House::new().add(phone, "my phone");
    assert_eq!(house.pop3(phone, &other).await, None);
    let laptop = house.add(phone, "laptop");
    assert!(house.editor().revoke(&key(phone), "my phone").unwrap());
    assert_eq!(house.pop3(phone, &shown).await, None, "at once, through another connection");
    assert_eq!(house.pop3(phone, &laptop).await.as_deref(), Some("laptop"));
    assert!(!house.editor().revoke(&key(phone), "my phone").unwrap());
}

#[tokio::test]
async fn limited_to_a_service_and_a_time() {
    let house = House::new();
    let (ann, mut editor) = (key("ann@example.net"), house.editor());
    let mut add = |name: &str, only, expires: Option<i64>| {
        let made = editor.add(&ann, name, only, expires.map(instant), instant(0));
        made.map(|shown| shown.to_string())
    };
    let pop3 = add("a", Some(Service::Pop3), None).unwrap();
    let submission = add("b", Some(Service::Submission), None).unwrap();
    let brief = add("c", None, Some(60)).unwrap();
    assert!(matches!(add("d", None, Some(0)), Err(AppPasswordError::Expired)));
    for (typed, service, at, good) in [
        (&pop3, Service::Pop3, 1, true),
        (&pop3, Service::Submission, 1, false),
        (&submission, Service::Submission, 1, true),
        (&submission, Service::Pop3, 1, false),
        (&brief, Service::Pop3, 59, true),
        (&brief, Service::Submission, 59, true),
        (&brief, Service::Pop3, 60, false),
    ] {
        let found = house.ask("ann@example.net", typed, service, at).await;
        assert_eq!(found.is_some(), good, "{service:?} {at}");
    }
}

#[tokio::test]
async fn names_and_numbers_are_bounded() {
    let house = House::new();
    let (ann, mut editor) = (key("ann@example.net"), house.editor());
    let mut add = |name: &str| editor.add(&ann, name, None, None, instant(0)).map(drop);
    let long = "x".repeat(65);
    for name in ["", " ", " x", "x ", "a\nb", "a\0", "\u{7f}", &long] {
        assert!(matches!(add(name), Err(AppPasswordError::Name { .. })), "{name:?}");
    }
    for name in ["携帯電話", "x'); DROP TABLE app_password; --", &long[..64]] {
        add(name).unwrap();
        assert!(matches!(add(name), Err(AppPasswordError::Taken { .. })), "{name}");
    }
    for number in 3..PER_ACCOUNT_MAX {
        add(&number.to_string()).unwrap();
    }
    let error = add("one more").unwrap_err();
    assert!(error.to_string().contains("50 app passwords"), "{error}");
    house.add("bob@example.net", "phone");
}

#[tokio::test]
async fn lists_come_in_pages_and_accounts_can_be_gone_through() {
    let house = House::new();
    for login in ["b@example.net", "a@example.net", "c@example.net"] {
        for name in ["2", "1"] {
            house.add(login, name);
        }
    }
    let mut editor = house.editor();
    let mut listed: Vec<AppPassword> = Vec::new();
    loop {
        let after = listed.last().map(|last| (last.account.as_str(), last.name.as_str()));
        let page = editor.page(None, after, 4).unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    let names: Vec<_> =
        listed.iter().map(|one| format!("{}{}", &one.account[..1], one.name)).collect();
    assert_eq!(names, ["a1", "a2", "b1", "b2", "c1", "c2"]);
    assert_eq!(listed[0].created, instant(0));
    assert_eq!((listed[0].expires, listed[0].only, listed[0].last_use), (None, None, None));
    let ann = key("b@example.net");
    assert_eq!(editor.page(Some(&ann), None, 10).unwrap().len(), 2);
    assert_eq!(editor.accounts("", 2).unwrap(), ["a@example.net", "b@example.net"]);
    assert_eq!(editor.accounts("b@example.net", 2).unwrap(), ["c@example.net"]);
    assert_eq!(editor.revoke_all("b@example.net").unwrap(), 2);
    assert_eq!(editor.accounts("", 10).unwrap(), ["a@example.net", "c@example.net"]);
}

#[tokio::test]
async fn the_last_use_is_recorded() {
    let house = House::new();
    let (phone, laptop) =
        (house.add("ann@example.net", "phone"), house.add("ann@example.net", "x"));
    for at in [5, 9, 7] {
        house.ask("ann@example.net", &phone, Service::Submission, at).await.unwrap();
    }
    assert_eq!(house.pop3("bob@example.net", &laptop).await, None, "no use of anything");
    assert!(house.store.flush());
    assert_eq!(house.store.lost(), 0);
    let listed = house.editor().page(None, None, 10).unwrap();
    let expected = LastUse {
        at: instant(9),
        client: "192.0.2.7".parse().unwrap(),
        service: Service::Submission,
    };
    assert_eq!((listed[0].last_use, listed[1].last_use), (Some(expected), None));
    // An end in order writes what is pending.
    house.ask("ann@example.net", &laptop, Service::Pop3, 20).await.unwrap();
    let House { directory, store } = house;
    drop(store);
    let listed = AppPasswordEditor::open(directory.path()).unwrap().page(None, None, 10).unwrap();
    assert_eq!(listed[1].last_use.unwrap().at, instant(20));
}

#[tokio::test]
async fn only_the_owner_can_read_the_file_and_it_holds_no_secret() {
    let house = House::new();
    let shown = house.add("ann@example.net", "phone");
    house.pop3("ann@example.net", &shown).await.unwrap();
    assert!(house.store.flush());
    let plain = shown.replace('-', "");
    let mut files = 0;
    for entry in std::fs::read_dir(house.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        let octets = std::fs::read(&path).unwrap();
        for secret in [&shown, &plain] {
            assert!(!octets.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
        files += 1;
    }
    assert!(files >= 1);
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_directory() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let directory = tempfile::tempdir().unwrap();
    if chown(directory.path(), Some(65_534), Some(65_534)).is_err() {
        println!("skipped: only root can give files away");
        return;
    }
    let mut editor = AppPasswordEditor::open(directory.path()).unwrap();
    editor.add(&key("ann@example.net"), "phone", None, None, instant(0)).unwrap();
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 2, "the file, and what SQLite puts beside it");
    for file in files {
        assert_eq!(file.metadata().unwrap().uid(), 65_534, "{}", file.path().display());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_not_a_wrong_password() {
    let house = House::new();
    let shown = house.add("ann@example.net", "phone");
    let (account, secret) = (key("ann@example.net"), Secret::from(&*shown));
    let client = "192.0.2.7".parse().unwrap();
    let check =
        async || house.store.check(&account, &secret, Service::Pop3, client, moment(1)).await;
    assert!(check().await.unwrap().is_some());
    let aside = house.path().with_extension("aside");
    std::fs::rename(house.path(), &aside).unwrap();
    assert_eq!(check().await.unwrap(), None, "the file is gone");
    std::fs::write(house.path(), "this is no database, however long it is".repeat(100)).unwrap();
    let error = check().await.unwrap_err();
    assert!(error.to_string().contains("app-passwords.sqlite"), "{error}");
    assert!(AppPasswordEditor::open(house.directory.path()).is_err());
    // A file from a backup is put in its place.
    std::fs::rename(&aside, house.path()).unwrap();
    assert!(check().await.unwrap().is_some());
}

#[test]
fn files_of_others_and_of_later_versions_are_left_alone() {
    for (pragma, value) in [("application_id", 7), ("user_version", 2)] {
        let house = House::new();
        house.add("ann@example.net", "phone");
        let connection = rusqlite::Connection::open(house.path()).unwrap();
        connection.pragma_update(None, pragma, value).unwrap();
        drop(connection);
        let error = AppPasswordEditor::open(house.directory.path()).unwrap_err();
        assert!(error.to_string().contains("this version knows"), "{error}");
    }
    let missing = AppPasswordEditor::open(Path::new("/nonexistent/directory")).unwrap_err();
    assert!(matches!(missing, AppPasswordError::Io { .. }), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_while_an_operator_works() {
    let house = Arc::new(House::new());
    let shown = Arc::new(house.add("ann@example.net", "phone"));
    let operator = {
        let house = Arc::clone(&house);
        tokio::task::spawn_blocking(move || {
            for number in 0..40 {
                let mut editor = house.editor();
                let login = key(&format!("u{number}@example.net"));
                editor.add(&login, "x", None, None, instant(0)).unwrap();
                assert!(editor.revoke(&login, "x").unwrap());
            }
        })
    };
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (house, shown) = (Arc::clone(&house), Arc::clone(&shown));
            tokio::spawn(async move {
                for _ in 0..20 {
                    assert!(house.pop3("ann@example.net", &shown).await.is_some());
                    assert_eq!(house.pop3("bob@example.net", &shown).await, None);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    operator.await.unwrap();
    assert!(house.store.flush());
}

#[test]
fn two_processes_make_the_file_at_once() {
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let directory = directory.path();
            scope.spawn(move || {
                let mut editor = AppPasswordEditor::open(directory).unwrap();
                let account = key("ann@example.net");
                editor.add(&account, &number.to_string(), None, None, instant(0)).unwrap();
            });
        }
    });
    let editor = AppPasswordEditor::open(directory.path()).unwrap();
    assert_eq!(editor.page(None, None, 10).unwrap().len(), 4);
}

/// The process that the next test kills: it logs in by the app password in a variable.
#[test]
#[ignore = "a part of another test, which starts it"]
fn killed_process() {
    let (Ok(directory), Ok(shown)) = (std::env::var("APP_DIRECTORY"), std::env::var("APP_SECRET"))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = AppPasswordStore::open(Path::new(&directory)).unwrap();
        let (account, secret) = (key("ann@example.net"), Secret::from(&*shown));
        let client = "192.0.2.9".parse().unwrap();
        for at in 1.. {
            let checked =
                store.check(&account, &secret, Service::Pop3, client, moment(at)).await.unwrap();
            assert!(checked.is_some());
            if at == 1 {
                println!("\nused");
            }
        }
    });
}

#[test]
fn a_kill_costs_the_last_seconds_of_uses_and_nothing_else() {
    use std::io::BufRead as _;
    let house = House::new();
    let shown = house.add("ann@example.net", "phone");
    let name = "app_passwords::tests::killed_process";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("APP_DIRECTORY", house.directory.path())
        .env("APP_SECRET", &shown)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "used"));
    // It writes every two seconds; then it is killed in the midst of it.
    let begun = std::time::Instant::now();
    while house.editor().page(None, None, 1).unwrap()[0].last_use.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no use is written");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = house.editor().page(None, None, 10).unwrap();
    assert_eq!((kept.len(), &*kept[0].name), (1, "phone"));
    assert_eq!(kept[0].last_use.unwrap().client, "192.0.2.9".parse::<IpAddr>().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(house.pop3("ann@example.net", &shown)).is_some());
}
