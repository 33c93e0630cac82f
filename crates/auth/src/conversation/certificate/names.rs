//! The addresses that a certificate names (RFC 5280).

use x509_parser::der_parser::asn1_rs::{Any, FromDer, Tag};
use x509_parser::der_parser::oid;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Larger ones are nobody's mail certificate.
const DER_MAX: usize = 64 * 1024;

/// The addresses in the certificate `der`: those of `subjectAltName` that are of the type of
/// mail addresses (`rfc822Name`, section 4.2.1.6); without any the other names there that hold
/// one (`SmtpUTF8Mailbox`, RFC 9598, and the user principal name of Microsoft's); without those
/// the common name of the subject, if it is one. Nothing if it cannot be read.
pub(in crate::conversation) fn of(der: &[u8]) -> Vec<String> {
    if der.len() > DER_MAX {
        return Vec::new();
    }
    let Ok((b"", certificate)) = parse_x509_certificate(der) else { return Vec::new() };
    let Ok(alternative) = certificate.subject_alternative_name() else { return Vec::new() };
    let alternative = alternative.map(|extension| &extension.value.general_names);
    let (mut mail, mut other) = (Vec::new(), Vec::new());
    for name in alternative.into_iter().flatten() {
        match name {
            GeneralName::RFC822Name(address) => mail.extend(likely(address)),
            GeneralName::OtherName(kind, value)
                if *kind == oid!(1.3.6.1.5.5.7.8.9) || *kind == oid!(1.3.6.1.4.1.311.20.2.3) =>
            {
                other.extend(text(value).as_deref().and_then(likely));
            }
            _ => {}
        }
    }
    let subject = || {
        let names = certificate.subject().iter_common_name();
        names.filter_map(|name| likely(name.as_str().ok()?)).collect()
    };
    [mail, other].into_iter().find(|names| !names.is_empty()).unwrap_or_else(subject)
}

/// `text`, if it looks like an address.
fn likely(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then(|| text.to_owned())
}

/// The string in the explicit tag 0 of an `otherName`.
fn text(value: &[u8]) -> Option<String> {
    let (_, tagged) = Any::from_der(value).ok()?;
    let (_, string) = Any::from_der(tagged.data).ok()?;
    let known = matches!(string.tag(), Tag::Utf8String | Tag::Ia5String);
    known.then(|| String::from_utf8(string.data.to_vec()).ok())?
}
