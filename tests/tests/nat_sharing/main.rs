//! retire: whole file
//! Several clients behind one address, and what a grant lets each of them do, over real
//! sockets. `docs/bridge.md` tells what remains open; the cases (a) to (h) are those of its
//! table.

#![allow(clippy::unwrap_used, reason = "a test")]

mod a_neighbour;
mod authentication;
mod b_two_cohorts;
mod c_changing_hands;
mod d_crowd;
mod e_fetchers;
mod f_ipv6;
mod g_under_way;
mod h_balancer;
mod kit;
mod logins;
mod quota;
mod suspended;
