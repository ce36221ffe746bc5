//! Messages to and from the key distribution center (RFC 4120), and the tokens of a logon (RFC 4121, MS-KILE).

use smb2::auth::kerberos::messages::{
    PrincipalName, Ticket, encode_ap_req, encode_authenticator, encode_pa_enc_timestamp,
    parse_ap_rep, parse_enc_ap_rep_part, parse_enc_kdc_rep_part, parse_kdc_rep,
};
use smb2::auth::spnego::{OID_MS_KERBEROS, parse_neg_token_resp, wrap_neg_token_init};

use super::clock::Moment;
use super::crypt::{KINDS, Key};
use super::der;
use super::files::Principal;
use super::{KerberosError, Refused};

/// For what a key is used (RFC 4120 section 7.5.1).
mod usage {
    pub(super) const TIMESTAMP: u32 = 1;
    pub(super) const FIRST_REPLY: u32 = 3;
    pub(super) const REQUEST_CHECKSUM: u32 = 6;
    pub(super) const REQUEST: u32 = 7;
    pub(super) const REPLY: u32 = 8;
    pub(super) const LOGON: u32 = 11;
    pub(super) const LOGON_REPLY: u32 = 12;
}

/// Kinds of data before the authentication (RFC 4120 section 7.5.2, MS-KILE 2.2.3).
const WITH_TICKET: i32 = 1;
const WITH_TIMESTAMP: i32 = 2;
const KINDS_AND_SALTS: i64 = 19;
const WITH_RIGHTS: i32 = 128;

/// Options of a request (RFC 4120 section 5.4.1, RFC 6806 section 3).
pub(super) const RENEWABLE: u32 = 1 << 23;
pub(super) const CANONICAL: u32 = 1 << 16;
pub(super) const RENEW: u32 = 1 << 1;

/// A ticket with its key.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    /// Who may use it, as the center writes the name.
    pub(super) client: Principal,
    /// For what it is.
    pub(super) service: Principal,
    pub(super) ticket: Ticket,
    pub(super) key: Key,
    /// From when to when it is good, in seconds since 1970.
    pub(super) start: i64,
    pub(super) end: i64,
}

/// What is asked of a center.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// Who asks; only before there is a ticket.
    pub(super) client: Option<&'a PrincipalName>,
    pub(super) realm: &'a str,
    pub(super) service: &'a [&'a str],
    pub(super) options: u32,
    pub(super) nonce: u32,
}

impl Ask<'_> {
    fn body(&self) -> Vec<u8> {
        let service: Vec<Vec<u8>> = self.service.iter().map(|part| der::text(part)).collect();
        let service = der::sequence(&[
            der::context(0, &der::integer(2)),
            der::context(1, &der::sequence(&service)),
        ]);
        let kinds: Vec<Vec<u8>> = KINDS
            .iter()
            .map(|kind| der::integer((*kind).into()))
            .collect();
        let mut items = vec![der::context(0, &der::flags(self.options))];
        items.extend(self.client.map(|client| der::context(1, &name(client))));
        items.extend([
            der::context(2, &der::text(self.realm)),
            der::context(3, &service),
            der::context(5, &der::moment("20370913024805Z")),
            der::context(7, &der::integer(self.nonce.into())),
            der::context(8, &der::sequence(&kinds)),
        ]);
        der::sequence(&items)
    }

    fn message(&self, number: u8, before: &[(i32, Vec<u8>)]) -> Vec<u8> {
        let before: Vec<Vec<u8>> = before
            .iter()
            .map(|(kind, value)| {
                der::sequence(&[
                    der::context(1, &der::integer((*kind).into())),
                    der::context(2, &der::octets(value)),
                ])
            })
            .collect();
        let message = der::sequence(&[
            der::context(1, &der::integer(5)),
            der::context(2, &der::integer(number.into())),
            der::context(3, &der::sequence(&before)),
            der::context(4, &self.body()),
        ]);
        der::application(number, &message)
    }

    /// The first request of a user (AS-REQ), with the proof of the key where it is known which one is wanted.
    pub(super) fn first(
        &self,
        proof: Option<&Key>,
        now: &Moment,
    ) -> Result<Vec<u8>, KerberosError> {
        let rights = der::sequence(&[der::context(0, &der::element(1, &[0xff]))]);
        let mut before = vec![(WITH_RIGHTS, rights)];
        if let Some(key) = proof {
            let moment = encode_pa_enc_timestamp(&now.text, now.microseconds);
            let sealed = key.sealed(usage::TIMESTAMP, &moment)?;
            let value = der::sequence(&[
                der::context(0, &der::integer(sealed.etype.into())),
                der::context(2, &der::octets(&sealed.cipher)),
            ]);
            before.push((WITH_TIMESTAMP, value));
        }
        Ok(self.message(10, &before))
    }

    /// A request of who has a ticket that gives tickets (TGS-REQ).
    pub(super) fn further(
        &self,
        granted: &Granted,
        now: &Moment,
    ) -> Result<Vec<u8>, KerberosError> {
        let (sum, kind) = granted.key.checksum(usage::REQUEST_CHECKSUM, &self.body());
        let shown = show(granted, now, usage::REQUEST, Some((&sum, kind)), false)?;
        Ok(self.message(12, &[(WITH_TICKET, shown)]))
    }
}

fn name(name: &PrincipalName) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = name
        .name_string
        .iter()
        .map(|part| der::text(part))
        .collect();
    der::sequence(&[
        der::context(0, &der::integer(name.name_type.into())),
        der::context(1, &der::sequence(&parts)),
    ])
}

/// A ticket with the proof that we have its key (AP-REQ).
fn show(
    granted: &Granted,
    now: &Moment,
    usage: u32,
    sum: Option<(&[u8], i32)>,
    mutual: bool,
) -> Result<Vec<u8>, KerberosError> {
    let client = PrincipalName {
        name_type: 1,
        name_string: granted.client.parts.clone(),
    };
    let proof = encode_authenticator(
        &granted.client.realm,
        &client,
        &now.text,
        now.microseconds,
        None,
        None,
        sum,
    );
    let proof = granted.key.sealed(usage, &proof)?;
    Ok(encode_ap_req(&granted.ticket, &proof, mutual))
}

/// The token that a host is logged on to with (RFC 4121 section 4.1, in SPNEGO).
pub(super) fn logon_token(granted: &Granted, now: &Moment) -> Result<Vec<u8>, KerberosError> {
    let shown = show(granted, now, usage::LOGON, None, true)?;
    // The object identifier 1.2.840.113554.1.2.2, and that this is a request.
    let mut body = vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2, 1, 0];
    body.extend(shown);
    Ok(wrap_neg_token_init(
        &[OID_MS_KERBEROS],
        &der::element(0x60, &body),
    ))
}

/// The key of the session, from the host's answer to the token; it proves that the host has the key of its service.
pub(super) fn logon_key(granted: &Granted, answer: &[u8]) -> Result<Vec<u8>, KerberosError> {
    let malformed = || KerberosError::Malformed("the host's answer to the ticket");
    let token = host_token(answer).ok_or_else(malformed)?;
    let (id, message) = token.split_at_checked(2).ok_or_else(malformed)?;
    match id {
        [2, 0] => {
            let reply = parse_ap_rep(message).map_err(|_| malformed())?;
            let plain = granted
                .key
                .decrypt(usage::LOGON_REPLY, &reply.enc_part.cipher)
                .ok_or(KerberosError::HostHasNoKey)?;
            let reply = parse_enc_ap_rep_part(&plain).map_err(|_| malformed())?;
            let key = reply
                .subkey
                .map_or_else(|| granted.key.bytes().to_vec(), |key| key.keyvalue);
            // SMB takes the first 16 bytes (MS-SMB2 3.2.5.3).
            key.get(..16).map(<[u8]>::to_vec).ok_or_else(malformed)
        }
        [3, 0] => Err(refusal(message).unwrap_or_else(malformed)),
        _ => Err(malformed()),
    }
}

/// Why a host refused the token, where it said so.
pub(super) fn logon_refusal(answer: &[u8]) -> Option<KerberosError> {
    let token = host_token(answer)?;
    let (id, message) = token.split_at_checked(2)?;
    (id == [3, 0]).then(|| refusal(message))?
}

/// What the host says of Kerberos in its answer: a number of two bytes, and a message.
fn host_token(answer: &[u8]) -> Option<Vec<u8>> {
    let token = parse_neg_token_resp(answer).ok()?.response_token?;
    let Some(body) = der::body(&token, 0x60) else {
        return Some(token);
    };
    let (_, _, rest) = der::read(body)?;
    Some(rest.to_vec())
}

/// Reads the answer to a request: the ticket in it, or why there is none.
pub(super) fn granted(answer: &[u8], key: &Key, nonce: u32) -> Result<Granted, KerberosError> {
    let malformed = || KerberosError::Malformed("the domain controller's answer");
    let reply = match answer.first() {
        Some(0x7e) => return Err(refusal(answer).unwrap_or_else(malformed)),
        Some(0x6b | 0x6d) => parse_kdc_rep(answer).map_err(|_| malformed())?,
        _ => return Err(malformed()),
    };
    let usage = if reply.msg_type == 11 {
        usage::FIRST_REPLY
    } else {
        usage::REPLY
    };
    // Who does not know the key answers something else; so does a center whose user has another password.
    let plain = key
        .decrypt(usage, &reply.enc_part.cipher)
        .ok_or(KerberosError::Unreadable)?;
    let part = parse_enc_kdc_rep_part(&plain).map_err(|_| malformed())?;
    if part.nonce != nonce {
        return Err(malformed());
    }
    let key = Key::new(part.key.keytype, part.key.keyvalue).ok_or(KerberosError::WeakKey)?;
    Ok(Granted {
        client: Principal {
            parts: reply.cname.name_string,
            realm: reply.crealm,
        },
        service: Principal {
            parts: part.sname.name_string,
            realm: part.srealm,
        },
        ticket: reply.ticket,
        key,
        start: Moment::seconds(&part.authtime).ok_or_else(malformed)?,
        end: Moment::seconds(&part.endtime).ok_or_else(malformed)?,
    })
}

/// Which key the center wants the proof of: its kind, and the salt of the password where it is none of the usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: i32,
    pub(super) salt: Option<String>,
}

/// What the center wants to see before it gives a ticket (RFC 4120 section 5.2.7.5), of the kinds that are spoken.
pub(super) fn wanted(data: &[u8]) -> Vec<Wanted> {
    let all = der::body(data, 0x30).unwrap_or_default();
    let kinds = der::items(all).find_map(|(_, item)| {
        (der::number(der::field(item, 1)?)? == KINDS_AND_SALTS)
            .then(|| der::body(der::field(item, 2)?, 4))?
    });
    let entries = kinds.and_then(|kinds| der::body(kinds, 0x30));
    let offered: Vec<Wanted> = der::items(entries.unwrap_or_default())
        .filter_map(|(_, entry)| {
            let kind = i32::try_from(der::number(der::field(entry, 0)?)?).ok()?;
            let salt = der::field(entry, 1)
                .and_then(|salt| der::body(salt, 0x1b))
                .and_then(|salt| String::from_utf8(salt.to_vec()).ok());
            Some(Wanted { kind, salt })
        })
        .collect();
    KINDS
        .iter()
        .filter_map(|kind| offered.iter().find(|one| one.kind == *kind).cloned())
        .collect()
}

/// Reads an error of Kerberos (RFC 4120 section 5.9.1).
pub(super) fn refusal(message: &[u8]) -> Option<KerberosError> {
    let fields = der::body(der::body(message, 0x7e)?, 0x30)?;
    let code = der::number(der::field(fields, 6)?)?;
    let their_time = der::field(fields, 4)
        .and_then(|time| der::body(time, 0x18))
        .and_then(|time| Moment::seconds(std::str::from_utf8(time).ok()?));
    let data = der::field(fields, 12)
        .and_then(|data| der::body(data, 4))
        .unwrap_or_default();
    Some(KerberosError::Refused(Refused {
        code,
        their_time,
        status: status(data),
        data: data.to_vec(),
    }))
}

/// The NTSTATUS that Windows adds to an error (MS-KILE 2.2.1 and 2.2.2).
fn status(data: &[u8]) -> Option<u32> {
    let fields = der::body(data, 0x30)?;
    let of_windows = der::number(der::field(fields, 1)?)? == 3;
    let value = der::body(der::field(fields, 2)?, 4)?;
    let status = u32::from_le_bytes(*value.first_chunk()?);
    of_windows.then_some(status)
}
