//! What a login by an app password costs.

use super::*;

#[test]
#[ignore = "figures: what one login by an app password costs"]
fn cost_of_a_login() {
    let house = House::new();
    let mut editor = house.editor();
    for number in 0..20_000 {
        let login = key(&format!("u{number}@example.net"));
        editor.database().execute_batch("PRAGMA synchronous = OFF").unwrap();
        editor.add(&login, "phone", None, None, instant(0)).unwrap();
    }
    let shown = house.add("ann@example.net", "phone");
    let wrong = House::new().add("x@example.net", "x");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (what, typed) in [("right", &shown), ("wrong", &wrong)] {
        let count = 20_000_u32;
        let elapsed = runtime.block_on(async {
            let begun = std::time::Instant::now();
            for _ in 0..count {
                house.pop3("ann@example.net", typed).await;
            }
            begun.elapsed()
        });
        println!("{what}: {:?} for each login", elapsed / count);
    }
    let house = Arc::new(house);
    let begun = std::time::Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (house, shown) = (Arc::clone(&house), shown.clone());
                tokio::spawn(async move {
                    for _ in 0..500 {
                        house.pop3("ann@example.net", &shown).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    println!("64 at once: {:?} for each login", begun.elapsed() / 32_000);
    let mut database = None;
    let digest = AppSecret::parse(shown.as_bytes()).unwrap().digest("ann@example.net");
    let begun = std::time::Instant::now();
    for _ in 0..20_000 {
        let question = Question {
            account: key("ann@example.net"),
            digest,
            service: Service::Pop3,
            client: "192.0.2.7".parse().unwrap(),
            at: instant(1),
            answer: tokio::sync::oneshot::channel().0,
        };
        reader::look_up(&house.path(), &mut database, &question).unwrap().unwrap();
    }
    println!("the look-up alone: {:?}", begun.elapsed() / 20_000);
    let begun = std::time::Instant::now();
    for _ in 0..100_000 {
        assert!(!house.store.has_shape(&Secret::from("correct horse battery")));
    }
    println!("no app password by its shape: {:?}", begun.elapsed() / 100_000);
}
