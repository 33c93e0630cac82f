//! Perl's Net::SMTP: in many old scripts, which know no password.

use std::process::Command;

use crate::kit::{AIKO, BERT, has, house, port};

const SCRIPT: &str = r#"
use strict;
use Net::SMTP;
my ($port, $user, $bert, $protocol) = @ARGV;
my $smtp = Net::SMTP->new('127.0.0.1', Port => $port, Hello => 'old-script', Timeout => 60)
    or die "no greeting";
if ($protocol eq 'smtp') {
    # As programs do that know no EHLO.
    $smtp->command('HELO', 'old-script')->response() == 2 or die 'HELO';
    $smtp->mail($user) or die $smtp->message();
    $smtp->to($bert) or die $smtp->message();
} else {
    $smtp->supports('DSN') // die 'no DSN';
    $smtp->mail($user, Size => 100, Return => 'HDRS', Bits => '8', ENVID => 'x1') or die $smtp->message();
    $smtp->recipient($bert, { Notify => ['FAILURE', 'DELAY'] }) or die $smtp->message();
}
$smtp->data("From: $user\nSubject: from perl\n\nHello\n.dot\n") or die $smtp->message();
$smtp->quit();
"#;

#[test]
fn it_is_refused_without_a_password() {
    if !has("perl", &["-MNet::SMTP", "-e", "1"]) {
        return;
    }
    let house = house();
    for protocol in ["smtp", "esmtp"] {
        let mut perl = Command::new("perl");
        perl.arg("-e").arg(SCRIPT).args([&port(&house, "legacy"), AIKO, BERT, protocol]);
        let sent = perl.output().unwrap();
        assert!(!sent.status.success());
        let why = String::from_utf8_lossy(&sent.stderr).into_owned();
        assert!(why.contains("Authentication required"), "{why}");
    }
}
