//! Several people behind one address, and addresses that change hands: cases (a) to (h).

#![allow(clippy::unwrap_used, reason = "a test")]

mod kit;

use auth::Login;
use kit::{ELSEWHERE, HOME, Provider};
use pop_before_smtp::{NotPublished, Published, Revocation};

#[test]
fn a_neighbour_sends_as_himself_as_the_customer_and_as_nobody() {
    let isp = Provider::with("");
    assert_eq!(isp.fetch("alice@open.example", HOME), Published::New);
    // The customer, with both addresses.
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    assert_eq!(isp.outcome("Sales@Open.Example", HOME), "allowed");
    // A neighbour as himself: a customer who did not fetch, and a stranger.
    assert_eq!(isp.outcome("bob@open.example", HOME), "sender-not-owned");
    assert_eq!(isp.outcome("spam@elsewhere.example", HOME), "sender-not-owned");
    // As nobody.
    assert_eq!(isp.outcome("", HOME), "null-sender");
    // As the customer: this is the hole of the practice; the quota bounds it.
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    // The control client elsewhere.
    for sender in ["alice@open.example", "bob@open.example", ""] {
        assert_eq!(isp.outcome(sender, ELSEWHERE), "no-grant", "{sender:?}");
    }
}

#[test]
fn b_two_customers_of_different_cohorts_share_an_address() {
    let isp = Provider::with("");
    assert_eq!(isp.fetch("alice@open.example", HOME), Published::New);
    let closed = Published::Not(NotPublished::Closed);
    assert_eq!(isp.fetch("bob@closed.example", HOME), closed);
    assert_eq!(isp.fetch("carol@notice.example", HOME), Published::New);
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    assert_eq!(isp.outcome("carol@notice.example", HOME), "allowed");
    // The closed one does not ride on the open one's grant; he reads that his way has ended,
    // not that he must fetch first, there and where nobody fetched.
    for client in [HOME, ELSEWHERE] {
        let refusal = isp.mail("bob@closed.example", client).unwrap_err();
        assert_eq!((refusal.code, refusal.enhanced, refusal.reason), (530, "5.7.0", "closed"));
        let text = &refusal.text;
        assert!(text.starts_with("Sending without authentication ended on 2027-01-10 (UTC)."));
        assert!(text.contains("port 587") && text.contains("https://isp.example"));
    }
    // A neighbour who is open and did not fetch is told to.
    let refusal = isp.mail("bob@open.example", HOME).unwrap_err();
    assert_eq!((refusal.code, refusal.reason), (550, "sender-not-owned"));
    assert!(refusal.text.contains("within 20 minutes: if it is yours, fetch your mail"));
}

#[test]
fn c_the_address_changes_hands_inside_the_window() {
    let isp = Provider::with("");
    isp.fetch("alice@open.example", HOME);
    isp.pass(600);
    // A stranger has the address now; he knows nobody's sender.
    assert_eq!(isp.outcome("stranger@elsewhere.example", HOME), "sender-not-owned");
    assert_eq!(isp.outcome("", HOME), "null-sender");
    // Another customer has it: he fetches and sends as himself, not as the one before.
    isp.fetch("bob@open.example", HOME);
    assert_eq!(isp.outcome("bob@open.example", HOME), "allowed");
    // Whoever hands out addresses can say so; then nothing of the one before is left.
    let revoked = isp.bridge.revoke(&Revocation::Address(HOME.parse().unwrap()));
    assert_eq!(revoked, 2);
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-grant");
    // Without that the window ends it.
    isp.fetch("alice@open.example", ELSEWHERE);
    isp.pass(1199);
    assert_eq!(isp.outcome("alice@open.example", ELSEWHERE), "allowed");
    isp.pass(1);
    assert_eq!(isp.outcome("alice@open.example", ELSEWHERE), "no-grant");
}

#[test]
fn d_more_distinct_accounts_than_may_share_an_address() {
    let isp = Provider::with("sharing.accounts_per_address = 3");
    for n in 0..3 {
        isp.fetch(&format!("crowd{n}@open.example"), HOME);
    }
    assert_eq!(isp.outcome("crowd0@open.example", HOME), "allowed");
    // The same accounts again are no more than they were.
    isp.fetch("crowd1@open.example", HOME);
    assert_eq!(isp.outcome("crowd1@open.example", HOME), "allowed");
    isp.pass(60);
    isp.fetch("crowd3@open.example", HOME);
    for n in 1..4 {
        let refusal = isp.mail(&format!("crowd{n}@open.example"), HOME).unwrap_err();
        assert_eq!(refusal.reason, "shared-address", "{n}");
        assert!(refusal.text.starts_with("More than 3 customers share your address"));
    }
    // Who is not among them does not learn of the crowd.
    assert_eq!(isp.outcome("alice@open.example", HOME), "sender-not-owned");
    // Elsewhere each is alone.
    isp.fetch("crowd3@open.example", ELSEWHERE);
    assert_eq!(isp.outcome("crowd3@open.example", ELSEWHERE), "allowed");
    // When the others' grants end, the last is no crowd any more.
    isp.pass(1140);
    assert_eq!(isp.outcome("crowd3@open.example", HOME), "allowed");
}

#[test]
fn d_a_huge_crowd_on_one_address_costs_no_more_than_a_small_one() {
    let isp = Provider::with("sharing.accounts_per_address = 3");
    for round in 0..20 {
        for n in 0..50 {
            isp.fetch(&format!("crowd{n}@open.example"), HOME);
            if round > 0 || n > 3 {
                let last = format!("crowd{n}@open.example");
                assert_eq!(isp.outcome(&last, HOME), "shared-address");
            }
        }
    }
    assert_eq!(isp.bridge.counts().grants, 4);
}

#[test]
fn e_a_webmail_host_or_foreign_fetcher_logs_in_for_hundreds() {
    let isp = Provider::with("excluded = [\"192.0.2.10\", \"198.18.0.0/15\", \"2001:db8:f::/48\"]");
    let excluded = Published::Not(NotPublished::ExcludedNetwork);
    for n in 0..50 {
        for host in ["192.0.2.10", "198.19.255.1", "::ffff:192.0.2.10", "2001:db8:f::25"] {
            assert_eq!(isp.fetch(&format!("crowd{n}@open.example"), host), excluded);
            assert_eq!(isp.outcome(&format!("crowd{n}@open.example"), host), "excluded-network");
        }
    }
    assert_eq!(isp.bridge.counts().grants, 0);
    assert_eq!(isp.fetch("alice@open.example", "192.0.2.11"), Published::New);
    // A grant from before the host was listed does not count either.
    let text = std::fs::read_to_string(&isp.file).unwrap();
    std::fs::write(&isp.file, text.replace("192.0.2.10", "192.0.2.11")).unwrap();
    reload(&isp);
    assert_eq!(isp.outcome("alice@open.example", "192.0.2.11"), "excluded-network");
}

fn reload(isp: &Provider) {
    use auth::Clock;
    isp.bridge.reload(isp.clock.now()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn f_ipv6_neighbours_in_one_64() {
    let exact = Provider::with("");
    exact.fetch("alice@open.example", "2001:db8:1:2::a");
    assert_eq!(exact.outcome("alice@open.example", "2001:db8:1:2::a"), "allowed");
    assert_eq!(exact.outcome("alice@open.example", "2001:db8:1:2::b"), "no-grant");

    let household = Provider::with("ipv6_prefix = 64");
    household.fetch("alice@open.example", "2001:db8:1:2::a");
    // The privacy address has changed; a neighbour in the same network as himself.
    assert_eq!(household.outcome("alice@open.example", "2001:db8:1:2:ffff::b"), "allowed");
    assert_eq!(household.outcome("bob@open.example", "2001:db8:1:2:ffff::b"), "sender-not-owned");
    assert_eq!(household.outcome("alice@open.example", "2001:db8:1:3::a"), "no-grant");
    // The prefix is for IPv6 alone.
    household.fetch("alice@open.example", HOME);
    assert_eq!(household.outcome("alice@open.example", "198.51.100.8"), "no-grant");
    let revoked =
        household.bridge.revoke(&Revocation::Address("2001:db8:1:2::77".parse().unwrap()));
    assert_eq!(revoked, 1);
}

#[test]
fn g_the_grant_ends_or_the_phase_flips_while_a_message_is_under_way() {
    let isp = Provider::with("");
    isp.fetch("carol@notice.example", HOME);
    isp.pass(1199);
    let permit = isp.mail("carol@notice.example", HOME).unwrap();
    // Between MAIL and DATA, and during a long message: the decision at MAIL holds.
    isp.pass(3600);
    assert!(permit.may_send_as(&"carol@notice.example".parse().unwrap()));
    isp.settle(&permit, true, 1);
    assert_eq!(isp.bridge.counts().accepted, 1);
    // The next MAIL of the same session is decided anew.
    assert_eq!(isp.outcome("carol@notice.example", HOME), "no-grant");

    isp.fetch("carol@notice.example", HOME);
    let permit = isp.mail("carol@notice.example", HOME).unwrap();
    let text = std::fs::read_to_string(&isp.file).unwrap();
    std::fs::write(&isp.file, text.replace("closed = 2027-03-01", "closed = 2027-02-20")).unwrap();
    reload(&isp);
    let refusal = isp.mail("carol@notice.example", HOME).unwrap_err();
    assert_eq!(refusal.reason, "closed");
    assert!(refusal.text.contains("ended on 2027-02-20 (UTC)"));
    isp.settle(&permit, true, 1);
    assert_eq!(isp.bridge.counts().accepted, 2);
    assert_eq!(isp.bridge.open_transactions(), 0);
}

#[test]
fn h_the_address_of_a_load_balancer_never_becomes_a_grant() {
    let isp = Provider::with("excluded = [\"192.0.2.1\"]");
    // Listed as excluded.
    let excluded = Published::Not(NotPublished::ExcludedNetwork);
    assert_eq!(isp.fetch("alice@open.example", "192.0.2.1"), excluded);
    // Not listed, but the listener knows that the address is not the client's.
    let mut login = isp.login("alice@open.example", HOME);
    login.channel.genuine_address = false;
    let unknown = Published::Not(NotPublished::AddressUnknown);
    assert_eq!(isp.bridge.publish(&login), unknown);
    // Nor does a grant count for a submission that came through such a balancer.
    isp.fetch("alice@open.example", HOME);
    let refusal =
        isp.mail_as("alice@open.example", HOME, |attempt| attempt.genuine_address = false);
    assert_eq!(refusal.unwrap_err().reason, "address-unknown");
    // Addresses that name nobody are excluded whatever is configured.
    for nobody in ["0.0.0.0", "100.64.1.2", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
        assert_eq!(isp.fetch("alice@open.example", nobody), excluded, "{nobody}");
    }
    assert_eq!(isp.bridge.counts().grants, 1);
}

#[test]
fn this_machine_is_excluded_unless_the_file_says_otherwise() {
    let excluded = Published::Not(NotPublished::ExcludedNetwork);
    let isp = Provider::with("");
    assert_eq!(isp.fetch("alice@open.example", "127.0.0.1"), excluded);
    assert_eq!(isp.fetch("alice@open.example", "::1"), excluded);
    let demo = Provider::with("excluded = []");
    assert_eq!(demo.fetch("alice@open.example", "127.0.0.1"), Published::New);
}

#[test]
fn a_login_to_submit_or_of_a_disabled_account_makes_no_grant() {
    let isp = Provider::with("");
    let mut login: Login = isp.login("alice@open.example", HOME);
    login.channel.service = auth::Service::Submission;
    assert_eq!(isp.bridge.publish(&login), Published::Not(NotPublished::OtherService));
    let gone = Published::Not(NotPublished::Disabled);
    assert_eq!(isp.fetch("gone@open.example", HOME), gone);
    assert_eq!(isp.bridge.counts().logins["other-service"], 1);
}
