//! Turns, and who gives way.

use super::Standing::{Known, Suspect, Unknown};
use super::*;

type Queue = FairQueue<u8, u32>;

fn drain(queue: &mut Queue) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop(true).map(|(_, item)| item)).collect()
}

/// What became of a newcomer, without its ticket.
#[derive(Debug, PartialEq)]
enum Became {
    Waits,
    Displaced(u32),
    Refused,
}

fn push(queue: &mut Queue, source: u8, standing: Standing, item: u32) -> Became {
    match queue.push(source, standing, item) {
        Push::Waits(_) => Became::Waits,
        Push::Displaced(_, victim) => Became::Displaced(victim),
        Push::Refused(refused) => {
            assert_eq!(refused, item);
            Became::Refused
        }
    }
}

#[test]
fn sources_take_turns() {
    let mut queue = Queue::new(100);
    for item in 0..4 {
        queue.push(1, Unknown, item);
    }
    queue.push(2, Unknown, 10);
    queue.push(3, Unknown, 20);
    queue.push(3, Unknown, 21);
    assert_eq!(drain(&mut queue), [0, 10, 20, 1, 21, 2, 3]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn known_clients_go_first_but_strangers_do_not_starve() {
    let mut queue = Queue::new(100);
    queue.push(9, Unknown, 100);
    queue.push(9, Unknown, 101);
    for item in 0..6 {
        queue.push(1, Known, item);
    }
    assert_eq!(drain(&mut queue), [0, 1, 2, 3, 100, 4, 5, 101]);
}

#[test]
fn suspects_go_last_but_do_not_starve_either() {
    let mut queue = Queue::new(100);
    queue.push(8, Suspect, 200);
    queue.push(8, Suspect, 201);
    for item in 0..6 {
        queue.push(9, Unknown, 100 + item);
    }
    queue.push(1, Known, 0);
    assert_eq!(drain(&mut queue), [0, 100, 101, 102, 103, 200, 104, 105, 201]);
}

#[test]
fn a_thread_kept_free_of_suspects_serves_all_others() {
    let mut queue = Queue::new(100);
    queue.push(8, Suspect, 200);
    assert_eq!(queue.pop(false), None);
    for item in 0..9 {
        queue.push(9, Unknown, item);
        assert_eq!(queue.pop(false), Some((Unknown, item)));
    }
    assert_eq!(queue.pop(true), Some((Suspect, 200)));
}

#[test]
fn a_full_queue_takes_from_who_has_most() {
    let mut queue = Queue::new(3);
    for item in 0..3 {
        assert_eq!(push(&mut queue, 1, Unknown, item), Became::Waits);
    }
    assert_eq!(push(&mut queue, 1, Unknown, 3), Became::Refused, "he waits for himself");
    assert_eq!(push(&mut queue, 2, Unknown, 10), Became::Displaced(0));
    assert_eq!(push(&mut queue, 2, Unknown, 11), Became::Refused, "now they are nearly even");
    assert_eq!(queue.len(), 3);
    assert_eq!(push(&mut queue, 3, Known, 20), Became::Displaced(1));
    assert_eq!(drain(&mut queue), [20, 2, 10]);
}

#[test]
fn among_equals_the_oldest_waiting_stranger_loses() {
    let mut queue = Queue::new(4);
    for source in 0..4 {
        queue.push(source, Unknown, u32::from(source));
    }
    for source in 4..10 {
        let became = push(&mut queue, source, Unknown, u32::from(source));
        assert_eq!(became, Became::Displaced(u32::from(source) - 4));
    }
    assert_eq!(drain(&mut queue), [6, 7, 8, 9]);
}

#[test]
fn first_suspects_then_strangers_then_known_clients_give_way() {
    let mut queue = Queue::new(3);
    queue.push(1, Known, 1);
    queue.push(2, Unknown, 2);
    queue.push(3, Suspect, 3);
    assert_eq!(push(&mut queue, 4, Suspect, 4), Became::Displaced(3));
    assert_eq!(push(&mut queue, 5, Unknown, 5), Became::Displaced(4));
    assert_eq!(push(&mut queue, 6, Suspect, 6), Became::Refused, "to no suspect");
    assert_eq!(push(&mut queue, 7, Known, 7), Became::Displaced(2));
    assert_eq!(push(&mut queue, 8, Known, 8), Became::Displaced(5));
    assert_eq!(push(&mut queue, 9, Unknown, 9), Became::Refused, "to no stranger");
    assert_eq!(push(&mut queue, 9, Known, 9), Became::Refused, "customers wait for customers");
    assert_eq!(drain(&mut queue), [1, 7, 8]);
}

#[test]
fn a_known_client_gives_way_to_one_whose_network_has_two_less() {
    let mut queue = Queue::new(2);
    queue.push(1, Known, 0);
    queue.push(1, Known, 1);
    assert_eq!(push(&mut queue, 2, Unknown, 10), Became::Refused);
    assert_eq!(push(&mut queue, 3, Known, 20), Became::Displaced(0));
    assert_eq!(drain(&mut queue), [1, 20]);
}

#[test]
fn what_waits_of_a_network_becomes_suspect_with_it() {
    let mut queue = Queue::new(5);
    queue.push(1, Unknown, 0);
    queue.push(1, Unknown, 1);
    queue.push(2, Unknown, 10);
    queue.push(1, Suspect, 2);
    queue.push(3, Unknown, 20);
    assert_eq!(push(&mut queue, 4, Unknown, 30), Became::Displaced(0));
    assert_eq!(drain(&mut queue), [10, 20, 30, 1, 2]);
}

#[test]
fn those_who_leave_make_room_wherever_they_are() {
    let mut queue = Queue::new(4);
    let mut tickets = Vec::new();
    for (item, standing) in [(0, Unknown), (1, Unknown), (2, Suspect), (3, Known)] {
        let Push::Waits(ticket) = queue.push(7, standing, item) else { panic!("no room") };
        tickets.push(ticket);
    }
    assert_eq!(queue.leave(&tickets[1]), Some(1), "moved among the suspects meanwhile");
    assert_eq!(queue.leave(&tickets[1]), None);
    assert_eq!(queue.leave(&tickets[3]), Some(3));
    assert_eq!(queue.len(), 2);
    assert_eq!(push(&mut queue, 8, Suspect, 9), Became::Waits);
    assert_eq!(drain(&mut queue), [0, 9, 2]);
    queue.push(1, Known, 1);
    queue.clear();
    assert_eq!((queue.len(), queue.pop(true)), (0, None));
}

#[test]
fn any_order_of_steps_keeps_the_books_straight() {
    let mut queue = Queue::new(50);
    let mut tickets = Vec::new();
    let mut state = 1_u64;
    let (mut entered, mut left) = (0, 0);
    for step in 0..20_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let source = (state >> 33) as u8 % 13;
        let standing = [Known, Unknown, Suspect][(state >> 40) as usize % 3];
        match (state >> 50) % 4 {
            0 => left += usize::from(queue.pop(state >> 60 == 0).is_some()),
            1 => {
                let ticket = tickets.get((state >> 20) as usize % tickets.len().max(1));
                left += ticket.map_or(0, |t| usize::from(queue.leave(t).is_some()));
            }
            _ => match queue.push(source, standing, step) {
                Push::Waits(ticket) => {
                    entered += 1;
                    tickets.push(ticket);
                }
                Push::Displaced(ticket, _) => {
                    entered += 1;
                    left += 1;
                    tickets.push(ticket);
                }
                Push::Refused(_) => assert_eq!(queue.len(), 50),
            },
        }
        assert!(queue.len() <= 50);
        assert_eq!(queue.len(), entered - left);
        for lane in [&queue.known, &queue.unknown, &queue.suspect] {
            lane.check();
        }
    }
    let rest = queue.len();
    assert_eq!(drain(&mut queue).len(), rest);
}

/// A full queue of ten thousand networks, and ten thousand newcomers for each place: what a
/// search over those that wait would make take minutes.
#[test]
fn a_crowd_costs_little_more_than_a_few() {
    let mut queue: FairQueue<u32, u32> = FairQueue::new(10_000);
    for n in 0..100_000 {
        queue.push(n, Suspect, n);
    }
    assert_eq!(queue.len(), 10_000);
    assert_eq!(queue.pop(true), Some((Suspect, 90_000)));
}
