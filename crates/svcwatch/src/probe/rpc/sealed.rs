//! Calls that are sealed by RPC itself, over a pipe of the session.

use svcwatch_wire::WireError;
use svcwatch_wire::pdu::secure::{Provider, SecureClient};
use svcwatch_wire::pdu::{Progress, Syntax};
use svcwatch_wire::scmr::{Reply, Request};
use tokio::time::Instant;

use super::channel::CallError;
use crate::probe::kerberos::{Kerberos, KerberosError, Opening};
use crate::probe::seal::{Keys, kerberos, ntlm};
use crate::probe::smb::proof::{Who, first_token, last_token};
use crate::probe::transport::{AnyPipe, PipeTransport};
use crate::probe::{Access, Auth, Ours};

/// Why a call could not be made.
#[derive(Debug)]
pub(super) enum SealedError {
    /// As with any call.
    Call(CallError),
    /// The host does not seal, or not well enough.
    Weak(&'static str),
    /// The host refused the first call after our proof, with this fault.
    Refused(WireError),
    /// Its side of a proof with Kerberos came to nothing.
    Kerberos(KerberosError),
}

impl<E: Into<CallError>> From<E> for SealedError {
    fn from(error: E) -> Self {
        Self::Call(error.into())
    }
}

/// A pipe whose calls are sealed.
#[derive(Debug)]
pub(super) struct SealedChannel<'a> {
    pipe: &'a mut AnyPipe,
    client: SecureClient<Keys>,
    /// Whether a call was answered: until then, a fault is about our proof.
    believed: bool,
}

impl<'a> SealedChannel<'a> {
    /// Proves to the service behind an open pipe who we are, in the way that the session was logged on.
    pub(super) async fn bind(
        pipe: &'a mut AnyPipe,
        interface: Syntax,
        access: &Access,
        ours: &Ours,
        deadline: Instant,
    ) -> Result<Self, SealedError> {
        let client = match &access.auth {
            Auth::Ntlm => with_ntlm(pipe, interface, access, ours).await?,
            Auth::Kerberos(with) => {
                with_kerberos(pipe, interface, access, ours, with, deadline).await?
            }
        };
        Ok(Self {
            pipe,
            client,
            believed: false,
        })
    }

    /// Makes one call and reads its answer.
    pub(super) async fn call<R: Request>(&mut self, request: &R) -> Result<R::Reply, SealedError> {
        match self.exchange(request).await {
            Err(CallError::Wire(fault @ WireError::Fault(_))) if !self.believed => {
                Err(SealedError::Refused(fault))
            }
            answer => {
                self.believed |= answer.is_ok();
                Ok(answer?)
            }
        }
    }

    async fn exchange<R: Request>(&mut self, request: &R) -> Result<R::Reply, CallError> {
        let fragments = self.client.request(R::OPNUM, &request.encode())?;
        let (last, others) = fragments.split_last().ok_or(WireError::Broken)?;
        for fragment in others {
            self.pipe.write(fragment).await?;
        }
        let mut answer = self.pipe.transceive(last).await?;
        // Ended by the client's own limits on the number of fragments and the length of the whole.
        let stub = loop {
            match self.client.on_fragment(&answer)? {
                Progress::Done(stub) => break stub,
                Progress::More => answer = self.pipe.read().await?,
            }
        };
        R::Reply::decode(&stub).map_err(CallError::Unreadable)
    }
}

/// NTLM: the last token is not answered, so a refusal shows at the first call.
async fn with_ntlm(
    pipe: &mut AnyPipe,
    interface: Syntax,
    access: &Access,
    ours: &Ours,
) -> Result<SecureClient<Keys>, SealedError> {
    let mut client = SecureClient::new(interface, Provider::NTLM);
    let answer = pipe.transceive(&client.bind(&first_token())?).await?;
    let challenge = client.on_bind_reply(&answer)?.token;
    if !ntlm::seals(&challenge) {
        return Err(SealedError::Weak(
            "it offers no NTLM session security with keys of 128 bits",
        ));
    }
    let who = Who {
        user: &access.user,
        password: &access.password,
        workstation: &ours.workstation,
        service: &format!("host/{}", access.address),
    };
    let unusable = SealedError::Weak("its NTLM challenge cannot be used");
    let Some((token, key)) = last_token(&challenge, &who) else {
        return Err(unusable);
    };
    pipe.write(&client.prove(&token)?).await?;
    let keys = ntlm::Keys::of_client(&key).ok_or(unusable)?;
    client.protect(Keys::Ntlm(Box::new(keys)))?;
    Ok(client)
}

/// Kerberos, with the ticket that the session was logged on with.
async fn with_kerberos(
    pipe: &mut AnyPipe,
    interface: Syntax,
    access: &Access,
    ours: &Ours,
    with: &Kerberos,
    deadline: Instant,
) -> Result<SecureClient<Keys>, SealedError> {
    let granted = ours.tickets.for_host(&access.user, with, deadline).await;
    let granted = granted.map_err(SealedError::Kerberos)?;
    let (token, opening) = Opening::begin(granted).map_err(SealedError::Kerberos)?;
    let mut client = SecureClient::new(interface, Provider::KERBEROS);
    let answer = pipe.transceive(&client.bind(&token)?).await?;
    let bound = client.on_bind_reply(&answer)?;
    let answered = opening.answer(&bound.token);
    let (token, secured) = answered.map_err(SealedError::Kerberos)?;
    let answer = pipe.transceive(&client.alter(&token)?).await?;
    client.on_alter_reply(&answer)?;
    let keys = kerberos::Keys::of_client(secured, bound.signs_headers);
    client.protect(Keys::Kerberos(Box::new(keys)))?;
    Ok(client)
}
