//! JSON from strangers: no name twice in an object (RFC 7515 section 4, RFC 8725 section 2.4),
//! and not more of anything than anybody needs.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Members of one object, and elements of one list.
const MEMBERS_MAX: usize = 256;

/// A value. Nesting is bounded by the reader, at 128.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Object(Object),
}

/// An object, its names unique.
pub(crate) type Object = BTreeMap<String, Json>;

/// Reads one object and nothing behind it. None: it is not that.
pub(crate) fn object(octets: &[u8]) -> Option<Object> {
    match serde_json::from_slice(octets) {
        Ok(Json::Object(object)) => Some(object),
        _ => None,
    }
}

impl Json {
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated names")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "instants are far below 2^53")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "instants are far below 2^53")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element()? {
            if list.len() >= MEMBERS_MAX {
                return Err(A::Error::custom("too long a list"));
            }
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut object = Object::new();
        while let Some((name, value)) = access.next_entry::<String, Json>()? {
            if object.len() >= MEMBERS_MAX {
                return Err(A::Error::custom("too large an object"));
            }
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read() {
        let text = br#" {"a": [1, -2.5, null, true, "x\u0041"], "b": {}} "#;
        let object = object(text).unwrap();
        let list = object["a"].list().unwrap();
        assert_eq!(list[0].number(), Some(1.0));
        assert_eq!(list[1].number(), Some(-2.5));
        assert_eq!((&list[2], &list[3]), (&Json::Null, &Json::Bool(true)));
        assert_eq!(list[4].text(), Some("xA"));
        assert!(object["b"].object().unwrap().is_empty());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let nested = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
        let many: String = (0..300).map(|n| format!(r#""{n}":1,"#)).collect();
        for text in [
            "",
            "1",
            "[]",
            "null",
            "{",
            "{}x",
            "{} {}",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"{"b":[{"a":1,"a":2}]}"#,
            r#"{"a":1e999}"#,
            r#"{"a":NaN}"#,
            "{'a':1}",
            r#"{"a":1,}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
            &nested,
            &format!("{{{many}\"x\":1}}"),
            &format!("{{\"a\":[{}1]}}", "1,".repeat(300)),
        ] {
            assert_eq!(object(text.as_bytes()), None, "{}", &text[..text.len().min(60)]);
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), None);
    }
}
