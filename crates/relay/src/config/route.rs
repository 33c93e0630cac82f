//! `[[relay.route]]`: which mail goes where.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A `[[relay.route]]` section. The first route that takes a recipient is his.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Recipients' domains: `"example.org"`, `"*.example.org"` for all below it, or `"*"`. A
    /// domain of `local_domains` is meant only where it is named itself.
    pub domains: Vec<String>,
    /// If given, only mail from senders at these domains, written the same way.
    #[serde(default)]
    pub sender_domains: Vec<String>,
    /// If given, only mail that one of these accounts submitted.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The hops, in the order in which they are tried. In place of a name a list of names may
    /// stand, which share the load. `"mx"` are the mail exchangers of the recipient's domain.
    #[serde(default)]
    pub hops: Hops,
    /// `"hops"`, `"refuse"` (the sender gets a report) or `"discard"` (nobody is told).
    #[serde(default)]
    pub deliver: Deliver,
    /// With `deliver = "refuse"`, what the sender is told.
    #[serde(default)]
    pub text: Option<String>,
}

/// What becomes of mail on a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deliver {
    /// It goes to the hops.
    #[default]
    Hops,
    /// It comes back to its sender, who is told why.
    Refuse,
    /// It is gone, and the log says so.
    Discard,
}

/// Names of hops: the outer list is the order of preference, an inner one shares the load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hops(pub Vec<Vec<String>>);

impl Serialize for Hops {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// One entry of the outer list.
struct Group(Vec<String>);

const EXPECTED: &str = "a list of hops in order of preference, such as [\"a\", \"b\"], or \
                        [[\"a\", \"b\"], \"c\"] where a and b share the load";

impl<'de> Deserialize<'de> for Hops {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Outer;
        impl<'de> Visitor<'de> for Outer {
            type Value = Hops;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Hops, E> {
                Ok(Hops(vec![vec![name.to_owned()]]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hops, A::Error> {
                let mut groups = Vec::new();
                while let Some(Group(group)) = list.next_element()? {
                    groups.push(group);
                }
                Ok(Hops(groups))
            }
        }
        deserializer.deserialize_any(Outer)
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner;
        impl<'de> Visitor<'de> for Inner {
            type Value = Group;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Group, E> {
                Ok(Group(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Group, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Group(names))
            }
        }
        deserializer.deserialize_any(Inner)
    }
}
