//! Python's smtplib: inside many programs, and able to ask for nearly everything.

use std::process::Command;
use std::time::Duration;

use lastpost_tests::{House, eventually};

use crate::kit::{
    AIKO, BERT, FRIEND, PATIENCE, arrived, certificate, field, has, house, port, queued, run,
};

/// Connects as `way` says, and logs in; then the body, with `smtp`.
const FRAME: &str = r#"
import smtplib, ssl, sys
from email.message import EmailMessage
from email.policy import SMTPUTF8
way, port, user, password, cert, bert, friend = sys.argv[1:]
context = ssl.create_default_context(cafile=cert)
if way == 'tls':
    smtp = smtplib.SMTP_SSL('localhost', int(port), context=context, timeout=60)
else:
    smtp = smtplib.SMTP('localhost', int(port), timeout=60)
    if way == 'starttls':
        smtp.starttls(context=context)
text = f'From: {user}\r\nSubject: from python\r\n\r\nHello\r\n.dot\r\n'
def refused(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except smtplib.SMTPException as error:
        return error
    raise SystemExit(f'{call} was granted')
"#;

fn python(house: &House, way: &str, body: &str) -> Command {
    let listener = if way == "tls" { "submissions" } else { "submission" };
    let mut python = Command::new("python3");
    python.arg("-c").arg(format!("{FRAME}{body}")).args([way, &port(house, listener), AIKO]);
    python.arg(house.customer(AIKO).password).arg(certificate(house)).args([BERT, FRIEND]);
    python
}

fn is_there() -> bool {
    has("python3", &["-c", "import smtplib, ssl"])
}

const EVERY_MECHANISM: &str = r#"
smtp.ehlo()
assert {'PLAIN', 'LOGIN'} <= set(smtp.esmtp_features['auth'].split()), smtp.esmtp_features
smtp.user, smtp.password = user, password
mechanism, initial = extra
code, reply = smtp.auth(mechanism, getattr(smtp, 'auth_' + mechanism.lower()), initial_response_ok=initial)
assert code == 235, reply
smtp.sendmail(user, [bert], text)
smtp.quit()
"#;

#[test]
fn each_mechanism_with_and_without_an_initial_response() {
    if !is_there() {
        return;
    }
    let house = house();
    let mut count = 0;
    for way in ["starttls", "tls"] {
        for (mechanism, initial) in
            [("PLAIN", "True"), ("PLAIN", "False"), ("LOGIN", "True"), ("LOGIN", "False")]
        {
            let body = format!("extra = ('{mechanism}', {initial})\n{EVERY_MECHANISM}");
            run(&mut python(&house, way, &body));
            count += 1;
        }
    }
    for message in arrived(&house, count) {
        let received = field(&message, "Received").concat();
        assert!(received.contains(" with ESMTPSA id "), "{received}");
        assert!(message.replace("\r\n", "\n").ends_with("\n\nHello\n.dot\n"), "{message}");
    }
}

const REFUSALS: &str = r#"
smtp.ehlo()
error = refused(smtp.sendmail, user, [friend], text)
assert error.smtp_code == 530, error
error = refused(smtp.login, user, 'wrong')
assert error.smtp_code == 535, error
error = refused(smtp.sendmail, user, [friend], text)
assert error.smtp_code == 530, error
smtp.login(user, password)
error = refused(smtp.sendmail, bert, [friend], text)
assert error.smtp_code == 550, error
error = refused(smtp.sendmail, user, ['nobody@open.example'], text)
assert error.recipients['nobody@open.example'][0] == 550, error.recipients
error = refused(smtp.sendmail, user, [friend], text.replace(user, bert))
assert error.smtp_code == 550, error
assert smtp.verify(bert)[0] in (252, 502), smtp.verify(bert)
smtp.sendmail(user, [bert], text)
smtp.quit()
"#;

#[test]
fn what_is_refused_leaves_the_session_usable() {
    if !is_there() {
        return;
    }
    let house = house();
    run(&mut python(&house, "starttls", REFUSALS));
    assert_eq!(arrived(&house, 1).len(), 1);
    assert!(house.received().is_empty());
}

const INTERNATIONAL: &str = r#"
smtp.login(user, password)
message = EmailMessage(policy=SMTPUTF8)
message['From'] = f'Aïko <{user}>'
message['To'] = bert
message['Subject'] = 'こんにちは'
message.set_content('Grüße\n', cte='8bit')
smtp.send_message(message, mail_options=['SMTPUTF8', 'BODY=8BITMIME'])
error = refused(smtp.sendmail, user, ['jörg@elsewhere.example'], text)
smtp.sendmail(user, [bert], text, mail_options=['SMTPUTF8'])
smtp.quit()
"#;

#[test]
fn headers_in_utf_8() {
    if !is_there() {
        return;
    }
    let house = house();
    run(&mut python(&house, "tls", INTERNATIONAL));
    let messages = arrived(&house, 2);
    let message = messages.iter().find(|message| message.contains("こんにちは")).unwrap();
    assert!(field(message, "Received").concat().contains(" with UTF8SMTPSA id "), "{message}");
    assert_eq!(field(message, "From"), [format!("From: Aïko <{AIKO}>")]);
}

const WISHES: &str = r#"
smtp.login(user, password)
def dsn(mail, rcpt):
    return smtp.sendmail(user, [friend], text, mail_options=mail, rcpt_options=rcpt)
assert smtp.has_extn('dsn') and smtp.has_extn('deliverby') and smtp.has_extn('futurerelease')
dsn(['RET=HDRS', 'ENVID=QQ314159'], ['NOTIFY=FAILURE,DELAY', 'ORCPT=rfc822;' + friend])
dsn(['BY=3600;N', 'AUTH=<>'], ['NOTIFY=NEVER'])
for mail, rcpt in [
    (['RET=SOME'], []),
    (['ENVID='], []),
    (['BY=0;R'], []),
    (['HOLDFOR=0'], []),
    (['HOLDFOR=99999999'], []),
    (['HOLDUNTIL=tomorrow'], []),
    (['RET=FULL', 'RET=HDRS'], []),
    (['NOSUCH=1'], []),
    ([], ['NOTIFY=NEVER,DELAY']),
    ([], ['ORCPT=rfc822']),
]:
    refused(dsn, mail, rcpt)
dsn(['HOLDFOR=3600'], [])
smtp.quit()
"#;

#[test]
fn wishes_about_the_delivery() {
    if !is_there() {
        return;
    }
    let house = house();
    run(&mut python(&house, "tls", WISHES));
    // Two go on at once; the third is kept back until its time has come.
    house.wait_for_mail(2);
    eventually(PATIENCE, "the others to be done", || queued(&house) == 1);
    assert_eq!(house.received().len(), 2);
    house.clock().advance(Duration::from_secs(3601));
    assert_eq!(house.wait_for_mail(3).len(), 3);
}

const CHUNKS: &str = r#"
smtp.login(user, password)
assert smtp.has_extn('chunking') and smtp.has_extn('binarymime')
def say(expected, line, octets=b''):
    smtp.sock.sendall(line.encode() + b'\r\n' + octets)
    code, reply = smtp.getreply()
    assert code == expected, (line, code, reply)
body = f'From: {user}\r\nSubject: chunks\r\n\r\n'.encode()
end = b'.\r\n..\r\nend\r\n'
say(250, f'MAIL FROM:<{user}> BODY=8BITMIME')
say(250, f'RCPT TO:<{bert}>')
for at in range(0, len(body), 7):
    piece = body[at:at + 7]
    say(250, f'BDAT {len(piece)}', piece)
say(250, f'BDAT {len(end)} LAST', end)
say(250, f'MAIL FROM:<{user}>')
say(250, f'RCPT TO:<{bert}>')
say(250, f'BDAT {len(body)}', body)
say(250, 'RSET')
say(503, 'BDAT 4 LAST', b'QUIT')
smtp.quit()
"#;

#[test]
fn messages_in_chunks() {
    if !is_there() {
        return;
    }
    let house = house();
    run(&mut python(&house, "tls", CHUNKS));
    let message = &arrived(&house, 1)[0];
    assert!(message.replace("\r\n", "\n").ends_with("\n\n.\n..\nend\n"), "{message}");
}
