//! Net::POP3, which comes with Perl and is inside many scripts of many firms.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, Way, assert_same_messages, crlf, files, folder, has_module, house, left, letters, run,
};

/// Logs in as `$way` says; then `$body`, with `$pop`, `$count` and `$out`.
const FRAME: &str = r#"
use strict; use warnings; use Net::POP3;
my ($way, $port, $user, $password, $cert, $out) = @ARGV;
my %tls = (SSL_ca_file => $cert, SSL_verifycn_name => 'localhost');
my $pop = Net::POP3->new('localhost', Port => $port, Timeout => 60,
    ($way eq 'tls' ? (SSL => 1, %tls) : ())) or die "connect: $@";
if ($way eq 'stls') { $pop->starttls(%tls) or die 'starttls: ' . $pop->message; }
my $count = $pop->login($user, $password);
defined $count or die 'login: ' . $pop->message;
"#;

fn perl(house: &House, way: Way, body: &str) -> String {
    let out = folder(house, "fetched");
    let mut perl = Command::new("perl");
    perl.arg("-e").arg(format!("{FRAME}{body}"));
    perl.arg(match way {
        Way::Clear => "clear",
        Way::Stls => "stls",
        Way::Tls => "tls",
    });
    perl.arg(way.port(house).to_string()).arg(AIKO).arg(house.customer(AIKO).password);
    perl.arg(house.path("certificate.pem")).arg(out);
    String::from_utf8(run(&mut perl).stdout).unwrap()
}

const FETCH: &str = r#"
my $list = $pop->list; my $ids = $pop->uidl;
my ($messages, $octets) = $pop->popstat;
die "popstat $messages, login $count" unless $messages == $count && keys(%$list) == $count;
my %seen = map { $_ => 1 } values %$ids;
die 'ids are not unique' unless keys(%seen) == $count;
for my $number (sort { $a <=> $b } keys %$list) {
    my $lines = $pop->get($number) or die 'get: ' . $pop->message;
    open my $file, '>:raw', "$out/$number" or die $!;
    my $text = join '', @$lines; $text =~ s/\r?\n/\r\n/g;
    die "size of $number" unless length($text) == $list->{$number};
    print $file $text; close $file;
    my $top = $pop->top($number, 0) or die 'top: ' . $pop->message;
    die "top of $number" unless $top->[-1] =~ /^\r?\n$/;
    $pop->delete($number) or die 'delete: ' . $pop->message;
}
$pop->quit or die 'quit: ' . $pop->message;
"#;

fn ways() -> Vec<Way> {
    if !has_module("perl", &["-MNet::POP3", "-e", "1"]) {
        return Vec::new();
    }
    let mut ways = vec![Way::Clear];
    if has_module("perl", &["-MIO::Socket::SSL", "-e", "1"]) {
        ways.extend([Way::Stls, Way::Tls]);
    }
    ways
}

#[test]
fn fetches_every_octet_and_deletes() {
    for way in ways() {
        let house = house();
        perl(&house, way, FETCH);
        let expected = letters().iter().map(|letter| crlf(letter)).collect();
        assert_same_messages(files(&house.path("fetched")), expected);
        assert_eq!(left(&house), 0, "{way:?}");
    }
}

/// Its `reset`, `last` and `ping`, and leaving without QUIT: a Perl object that goes out of scope
/// resets and quits.
#[test]
fn changes_its_mind_and_loses_nothing() {
    for way in ways() {
        let house = house();
        let body = "$pop->delete(1); $pop->delete(2); $pop->reset; \
                    my $n = ($pop->popstat)[0]; print \"$n\\n\"; $pop->delete(1); undef $pop;";
        assert_eq!(perl(&house, way, body), format!("{}\n", letters().len()));
        crate::kit::wait_for_sessions(&house);
        assert_eq!(left(&house), letters().len(), "{way:?}");
    }
}
