//! Domains beyond ASCII: one domain, however it is written.

use lastpost_tests::{House, Plan, eventually};

use crate::hop::{Hop, Manner};
use crate::kit::{AIKO, PATIENCE, aiko, emptied, new_mail, plan};

#[test]
fn a_local_domain_is_local_in_both_of_its_forms() {
    for (configured, owned) in [
        ("bücher.example", "aiko@xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "aiko@bücher.example"),
    ] {
        let mut plan = Plan { local_domains: vec!["open.example", configured], ..plan("") };
        plan.customers[0].aliases = vec![owned].leak();
        let house = House::start(plan);
        let mut talk = aiko(&house, "submission");
        for domain in ["bücher.example", "xn--bcher-kva.example", "BÜCHER.example"] {
            talk.expect(&format!("MAIL FROM:<aiko@{domain}> SMTPUTF8"), "250");
            talk.expect(&format!("RCPT TO:<nobody@{domain}>"), "550 5.1.1");
            talk.expect(&format!("RCPT TO:<aiko@{domain}>"), "250");
            assert!(talk.message(AIKO).starts_with("250"));
        }
        eventually(PATIENCE, "three messages", || new_mail(&house, AIKO).len() == 3);
        emptied(&house);
        assert!(house.received().is_empty(), "none of it went elsewhere");
    }
}

#[test]
fn a_route_means_a_domain_in_both_of_its_forms() {
    let (exact, below) = (Hop::start(Manner::default()), Hop::start(Manner::default()));
    let tables = exact.tables("exact", &["bücher.example"], "")
        + &below.tables("below", &["*.xn--r8jz45g.example"], "");
    let house = House::start(plan(tables));
    let mut talk = aiko(&house, "submission");
    talk.expect(&format!("MAIL FROM:<{AIKO}> SMTPUTF8"), "250");
    for domain in ["bücher.example", "xn--bcher-kva.example", "www.例え.example", "例え.example"]
    {
        talk.expect(&format!("RCPT TO:<x@{domain}>"), "250");
    }
    assert!(talk.message(AIKO).starts_with("250"));
    let all = |hop: &Hop| hop.wait_for_mail(1, PATIENCE).remove(0).recipients;
    // Neither hop speaks SMTPUTF8: domains go out in A-labels.
    assert_eq!(all(&exact), ["<x@xn--bcher-kva.example>", "<x@xn--bcher-kva.example>"]);
    assert_eq!(all(&below), ["<x@www.xn--r8jz45g.example>"]);
    assert_eq!(house.wait_for_mail(1)[0].recipients, ["<x@xn--r8jz45g.example>"]);
}
