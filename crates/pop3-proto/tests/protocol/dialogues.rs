//! Plays every transcript against the pure session: each block of the client's as one read,
//! and again octet by octet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::transcript::{Transcript, What};
use crate::world::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

fn play(name: &str) {
    let transcript = Transcript::read(&folder().join(format!("{name}.txt")));
    run(&transcript, usize::MAX);
    if !transcript.unsplit_only {
        run(&transcript, 1);
        run(&transcript, 7);
    }
}

fn run(transcript: &Transcript, read_max: usize) {
    let mut world = World::new();
    for item in &transcript.items {
        let place = format!("{}:{} (reads of {read_max})", transcript.name, item.line);
        match &item.what {
            What::Given(given) => world.arrange(given),
            What::Client(octets) => {
                world.connect();
                expect_silence(&world, &place);
                assert!(!world.is_closed(), "{place}: the server has hung up");
                for read in octets.chunks(read_max) {
                    world.send(read);
                }
            }
            What::Tls => world.shake_hands(),
            What::Drop => world.hang_up(),
            What::Server(expected) => {
                world.connect();
                let line = take_line(&mut world.out).unwrap_or_else(|| {
                    panic!("{place}: expected {expected:?}, the server says nothing")
                });
                let shown = String::from_utf8_lossy(&line);
                assert!(expected.matches(&line), "{place}: the server says {shown:?}");
            }
            What::Rest(octets) => assert_eq!(&std::mem::take(&mut world.out), octets, "{place}"),
            What::Closed => {
                expect_silence(&world, &place);
                assert!(world.is_closed(), "{place}: the server has not hung up");
            }
            What::Removed(indexes) => {
                assert_eq!(world.removed.as_deref().unwrap_or_default(), indexes, "{place}");
            }
            What::Retrieved(indexes) => {
                assert_eq!(world.retrieved.as_deref().unwrap_or_default(), indexes, "{place}");
            }
        }
    }
    expect_silence(&world, &transcript.name);
}

fn expect_silence(world: &World, place: &str) {
    let shown = String::from_utf8_lossy(&world.out);
    assert!(world.out.is_empty(), "{place}: the server says {shown:?} too");
}

fn take_line(out: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = out.windows(2).position(|pair| pair == b"\r\n")?;
    let mut line: Vec<u8> = out.drain(..end + 2).collect();
    line.truncate(end);
    Some(line)
}

/// One named test for each transcript.
macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { play(stringify!($name)); })*
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

transcripts! {
    apop,
    apop_needs_a_digest,
    apop_stamp_must_be_one,
    apop_wrong,
    auth_after_login,
    auth_bad_base64,
    auth_cancel,
    auth_empty_initial_response,
    auth_empty_response,
    auth_login,
    auth_login_initial_response,
    auth_long_responses,
    auth_offered_mechanisms,
    auth_offered_under_tls,
    auth_pipelined,
    auth_pipelined_behind_a_refusal,
    auth_pipelined_commands_are_responses,
    auth_plain,
    auth_plain_initial_response,
    auth_turns,
    auth_unknown_mechanism,
    busy_login_is_temporary,
    capa_after_login,
    capa_before_login,
    capa_per_user,
    capa_same_for_all,
    cleartext_login_refused,
    cleartext_login_refused_without_tls,
    client_fax,
    client_fetchmail,
    client_k9,
    client_mpop,
    client_outlook,
    client_thunderbird,
    dele_rset_dele,
    deleted_messages_vanish_and_numbers_stay,
    dots_are_stuffed_from_the_first_octet,
    drop_without_quit_removes_nothing,
    empty_maildrop,
    every_credential_failure_has_the_auth_code,
    hostile_numbers,
    http_request_is_closed,
    internationalised_as_stored,
    internationalised_refused,
    internationalised_refused_is_not_retrieved,
    lang,
    lang_is_forgotten_under_tls,
    lang_keeps_codes_and_words,
    lang_that_is_none,
    last_by_option,
    last_of_an_unread_maildrop,
    left_out_commands,
    locked_maildrop_refuses_login,
    login_delay_refuses,
    long_names_are_refused,
    message_gone_meanwhile,
    message_zero_is_nobody,
    must_change,
    must_change_address,
    octets_pass_unchanged,
    one_reply_for_each_bad_line,
    overlong_line_is_one_error,
    pass_keeps_spaces,
    pass_without_user,
    pipelined_after_a_failed_login,
    pipelined_session,
    quirk_bare_line_feed,
    quirk_capital_digest,
    quirk_deep_pipeline,
    quirk_deletes_unread,
    quirk_end_of_headers,
    quirk_last_probe,
    quirk_mechanism_probe,
    quirk_no_initial_response,
    quirk_repeated_capa,
    quirk_retry_words,
    quirk_single_lookups,
    quirk_stray_spaces,
    quirk_top_for_all,
    quirk_utf8_after_login,
    quirk_xoip,
    quirk_zero_forgets_all,
    quit_before_login,
    quit_reports_failed_removal,
    read_error_drops_the_connection,
    sizes_are_those_of_the_crlf_form,
    stls_after_login,
    stls_after_utf8,
    stls_drops_injected_plaintext,
    stls_on_the_tls_port,
    stls_resets_user,
    stls_twice,
    stls_where_there_is_none,
    storage_failure_refuses_login,
    three_failed_logins_close,
    too_many_sessions,
    top_counts_body_lines,
    top_with_a_huge_count_sends_all,
    twenty_errors_in_a_row_close_after_login,
    user_does_not_tell_who_exists,
    user_pass,
    utf8_mode,
    utf8_name_that_is_none,
    utf8_names_and_passwords,
    utf8_under_tls,
    wrong_state_before_login,
    xclient,
    xclient_malformed,
    xclient_may_be_long,
}

#[test]
fn every_transcript_is_played() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<String> = NAMES.iter().map(ToString::to_string).collect();
    assert_eq!(files, named);
}

#[test]
fn every_quirk_has_a_transcript() {
    for quirk in pop3_proto::Quirk::ALL {
        let file = format!("quirk_{}", quirk.name().replace('-', "_"));
        assert!(NAMES.contains(&file.as_str()), "{file}");
    }
}
