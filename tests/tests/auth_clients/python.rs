//! Python: its smtplib, and SCRAM written anew over its poplib, with channel binding.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    PASSWORD, PLAIN, WRONG, account_of, certificate, has, house, house_with, port, tried,
};

fn is_there() -> bool {
    has("python3", &["-c", "import smtplib, poplib, ssl, hashlib, hmac"])
}

const SMTP: &str = r#"
import smtplib, ssl, sys
port, mechanism, user, password, cert = sys.argv[1:]
smtp = smtplib.SMTP('localhost', int(port), timeout=60)
smtp.starttls(context=ssl.create_default_context(cafile=cert))
smtp.ehlo()
assert mechanism in smtp.esmtp_features['auth'].split(), smtp.esmtp_features
smtp.user, smtp.password = user, password
method = getattr(smtp, 'auth_' + mechanism.lower().replace('-', '_'))
code, reply = smtp.auth(mechanism, method, initial_response_ok=mechanism != 'CRAM-MD5')
assert code == 235, reply
smtp.noop()
smtp.quit()
"#;

fn smtplib(house: &House, mechanism: &str, login: &str, password: &str) -> (bool, String) {
    let mut python = Command::new("python3");
    python.args(["-c", SMTP, &port(house, "submission"), mechanism, login, password]);
    tried(python.arg(certificate(house)))
}

#[test]
fn each_mechanism_of_smtplib() {
    if !is_there() {
        return;
    }
    let house = house();
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        for login in [account_of(mechanism), PLAIN] {
            let (done, said) = smtplib(&house, mechanism, login, PASSWORD);
            assert!(done, "{said}");
        }
        let (done, said) = smtplib(&house, mechanism, account_of(mechanism), WRONG);
        assert!(!done && said.contains("SMTPAuthenticationError"), "{said}");
    }
}

/// `binding`: the octets behind the header, `bend`: what is done to the last message.
const POP3: &str = r#"
import base64, hashlib, hmac, os, poplib, ssl, sys
port, mechanism, user, password, cert, way = sys.argv[1:]
pop = poplib.POP3_SSL('localhost', int(port), context=ssl.create_default_context(cafile=cert), timeout=60)
assert mechanism in pop.capa()['SASL'], pop.capa()
def say(line):
    pop._putcmd(line)
    answer, _ = pop._getline()
    if not answer.startswith(b'+'):
        raise SystemExit(answer.decode())
    return answer
def b64(octets):
    return base64.b64encode(octets).decode()
if mechanism == 'PLAIN':
    say('AUTH PLAIN ' + b64(f'\0{user}\0{password}'.encode()))
elif mechanism == 'CRAM-MD5':
    challenge = base64.b64decode(say('AUTH CRAM-MD5')[2:])
    say(b64(f'{user} {hmac.new(password.encode(), challenge, "md5").hexdigest()}'.encode()))
else:
    name = 'sha1' if mechanism == 'SCRAM-SHA-1' else 'sha256'
    header, data = 'n,,', b''
    if mechanism.endswith('-PLUS'):
        header = 'p=tls-server-end-point,,'
        data = hashlib.sha256(pop.sock.getpeercert(True)).digest()
    if way == 'elsewhere':
        data = hashlib.sha256(b'another certificate').digest()
    if way == 'told-of-nothing':
        header = 'y,,'
    bare = 'n=' + user.replace('=', '=3D').replace(',', '=2C') + ',r=' + b64(os.urandom(18))
    first = base64.b64decode(say(f'AUTH {mechanism} ' + b64((header + bare).encode()))[2:]).decode()
    parts = dict(part.split('=', 1) for part in first.split(','))
    assert parts['r'].startswith(bare.split(',r=')[1]), first
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(parts['s']), int(parts['i']))
    mac = lambda key, message: hmac.new(key, message, name).digest()
    client_key = mac(salted, b'Client Key')
    without = 'c=' + b64(header.encode() + data) + ',r=' + parts['r']
    signed = ','.join([bare, first, without]).encode()
    signature = mac(hashlib.new(name, client_key).digest(), signed)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    last = base64.b64decode(say(b64((without + ',p=' + b64(proof)).encode()))[2:]).decode()
    assert last == 'v=' + b64(mac(mac(salted, b'Server Key'), signed)), last
    say('')
assert pop.stat() == (0, 0)
pop.quit()
"#;

fn poplib(
    house: &House,
    mechanism: &str,
    login: &str,
    password: &str,
    way: &str,
) -> (bool, String) {
    let mut python = Command::new("python3");
    python.args(["-c", POP3, &port(house, "pop3s"), mechanism, login, password]);
    tried(python.arg(certificate(house)).arg(way))
}

#[test]
fn each_mechanism_over_poplib() {
    if !is_there() {
        return;
    }
    let house = house();
    let mechanisms = ["PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
    for mechanism in mechanisms {
        for login in [account_of(mechanism), PLAIN] {
            let (done, said) = poplib(&house, mechanism, login, PASSWORD, "");
            assert!(done, "{said}");
        }
        for (login, password) in [(account_of(mechanism), WRONG), ("nobody@open.example", PASSWORD)]
        {
            let (done, said) = poplib(&house, mechanism, login, password, "");
            assert!(!done && said.contains("-ERR [AUTH]"), "{said}");
        }
    }
}

#[test]
fn a_client_that_can_bind_to_the_channel_does_without_where_nobody_offers_it() {
    if !is_there() {
        return;
    }
    let house = house_with(&["SCRAM-SHA-256"], "");
    let (done, said) = poplib(&house, "SCRAM-SHA-256", PLAIN, PASSWORD, "told-of-nothing");
    assert!(done, "{said}");
}

#[test]
fn a_login_for_another_channel_is_none() {
    if !is_there() {
        return;
    }
    let house = house();
    for (mechanism, way) in [
        ("SCRAM-SHA-256-PLUS", "elsewhere"),
        ("SCRAM-SHA-256-PLUS", "told-of-nothing"),
        ("SCRAM-SHA-256", "told-of-nothing"),
        ("SCRAM-SHA-1", "told-of-nothing"),
    ] {
        let (done, said) = poplib(&house, mechanism, PLAIN, PASSWORD, way);
        assert!(!done && said.contains("-ERR [AUTH]"), "{said}");
    }
}
