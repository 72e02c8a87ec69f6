//! The calls this program makes: token, ticket, and one about a subject. Each is a future that
//! owns all it needs.

use std::{cell::Cell, rc::Rc, sync::Arc};

use super::{
    application_reply::ApplicationReply,
    endpoint::Endpoint,
    reply::{self, CallError, Verdict},
    ticket::Ticket,
    token::Token,
    transport::{Failure, Method, Request, Response, Transport},
    wire,
};
use crate::{
    clock::Timestamp,
    model::Subject,
    quota::{CallKind, Paid},
    secret::Secret,
};

/// The credentials of a corp and the transport to the API. Clones share both.
#[derive(Clone)]
pub struct Client {
    transport: Rc<dyn Transport>,
    corp_id: Rc<str>,
    corp_secret: Arc<Secret<String>>,
    /// The latest `Date` of a reply of the API that was not taken yet.
    date: Rc<Cell<Option<Timestamp>>>,
}

impl Client {
    /// Returns a client of the upstream corp `corp_id`, with the secret of the app that it shares.
    #[must_use]
    pub fn new(transport: Rc<dyn Transport>, corp_id: &str, corp_secret: Secret<String>) -> Self {
        Self {
            transport,
            corp_id: corp_id.into(),
            corp_secret: Arc::new(corp_secret),
            date: Rc::default(),
        }
    }

    /// Takes the `Date` of the latest reply that was the API's own, if one has come since the last
    /// time.
    pub(crate) fn take_date(&self) -> Option<Timestamp> {
        self.date.take()
    }

    /// The corpid of the upstream corp.
    #[must_use]
    pub fn corp_id(&self) -> &str {
        &self.corp_id
    }

    /// A digest of corp and secret, to recognise a secret that was refused.
    #[must_use]
    pub fn secret_digest(&self) -> u64 {
        let corp = xxhash_rust::xxh3::xxh3_64(self.corp_id.as_bytes());
        xxhash_rust::xxh3::xxh3_64_with_seed(self.corp_secret.expose().as_bytes(), corp)
    }

    /// Fetches an access token (D91039). Callers fetch one at a time and never repeat a refused
    /// fetch in a loop: wrong secrets get the address banned for an hour (D90313).
    ///
    /// # Errors
    ///
    /// A refusal, or no reply that can be read.
    pub fn fetch_token(&self) -> impl Future<Output = Result<Token, CallError>> + use<> {
        let client = self.clone();
        async move {
            let corp_id = Arc::new(Secret::new(String::from(&*client.corp_id)));
            let corp_secret = Arc::clone(&client.corp_secret);
            let query = vec![("corpid", corp_id), ("corpsecret", corp_secret)];
            let response = client.get(wire::GETTOKEN, query).await?;
            let date = response.date;
            let token = reply::decode_token(response, &[client.corp_secret.expose()]);
            if !matches!(token, Err(CallError::Failed(_))) {
                client.note_date(date);
            }
            token
        }
    }

    /// Applies for the only ticket that this corp ever gets (D96250), and returns the reply as it was
    /// received: it is to be kept before it is [read](Self::read_ticket). An application that failed
    /// may have been the only one: callers never repeat it.
    ///
    /// # Errors
    ///
    /// If no reply came.
    pub fn apply_ticket(
        &self,
        token: &Token,
    ) -> impl Future<Output = Result<ApplicationReply, Failure>> + use<> {
        let (client, token) = (self.clone(), Arc::clone(&token.secret));
        async move {
            let query = vec![("access_token", token)];
            let response = client.get(wire::APPLY_MASS_CALL_TICKET, query).await?;
            Ok(ApplicationReply::of(response))
        }
    }

    /// Reads the reply to an application that was sent with `token` at `applied_at`; to be safe the
    /// seven days of the ticket count from then.
    ///
    /// # Errors
    ///
    /// A refusal, or a reply in which no ticket can be found.
    pub fn read_ticket(
        &self,
        reply: &ApplicationReply,
        applied_at: Timestamp,
        token: &Token,
    ) -> Result<Ticket, CallError> {
        let sent = [token.secret.expose().as_str(), self.corp_secret.expose()];
        reply.read(applied_at, &sent)
    }

    /// Calls `endpoint` about `subject`: one request, for the `paid` claim that it uses up. Nothing
    /// is sent before the first poll, and at most once after it. A `ticket` goes only where it is
    /// accepted.
    pub fn call(
        &self,
        endpoint: &'static Endpoint,
        subject: &Subject,
        token: &Token,
        ticket: Option<&Ticket>,
        paid: Paid,
    ) -> impl Future<Output = Verdict> + use<> {
        let ticket = ticket.filter(|_| endpoint.accepts_ticket);
        debug_assert!(
            ticket.is_some() || paid.kind() == CallKind::Standard,
            "a call without a ticket counts in the business windows"
        );
        let names_corp = endpoint.corpid(subject).is_some();
        let request = Request {
            method: Method::Post,
            path: endpoint.path,
            query: vec![("access_token", Arc::clone(&token.secret))],
            body: endpoint.body(subject, ticket),
        };
        let sent = SentTexts::new(self, subject, token, ticket);
        let client = self.clone();
        async move {
            let _spent = paid;
            let response = match client.transport.send(request).await {
                Ok(response) => response,
                Err(failure) => return Verdict::Failed(failure),
            };
            let verdict = reply::decode(&response, endpoint, names_corp, &sent.all());
            if !matches!(verdict, Verdict::Failed(_)) {
                client.note_date(response.date);
            }
            verdict
        }
    }

    /// Notes the `Date` of a reply that is the API's own: that of a gateway's page may be anything.
    fn note_date(&self, date: Option<Timestamp>) {
        self.date.set(date.or(self.date.get()));
    }

    /// Sends `request` once, and notes the `Date` of a reply.
    pub(super) async fn send(&self, request: Request) -> Result<Response, Failure> {
        let response = self.transport.send(request).await?;
        if response.status == 200 {
            self.note_date(response.date);
        }
        Ok(response)
    }

    async fn get(
        &self,
        path: &'static str,
        query: Vec<(&'static str, Arc<Secret<String>>)>,
    ) -> Result<Response, Failure> {
        let request = Request {
            method: Method::Get,
            path,
            query,
            body: Vec::new(),
        };
        self.transport.send(request).await
    }
}

/// The ids and secrets that one call sent, kept until its reply has been read: none of them may
/// come back in an error.
struct SentTexts {
    unionid: Box<str>,
    openid: Box<str>,
    token: Arc<Secret<String>>,
    ticket: Option<Arc<Secret<String>>>,
    corp_secret: Arc<Secret<String>>,
}

impl SentTexts {
    fn new(client: &Client, subject: &Subject, token: &Token, ticket: Option<&Ticket>) -> Self {
        Self {
            unionid: subject.unionid.clone(),
            openid: subject.openid.clone(),
            token: Arc::clone(&token.secret),
            ticket: ticket.map(Ticket::share),
            corp_secret: Arc::clone(&client.corp_secret),
        }
    }

    fn all(&self) -> [&str; 5] {
        [
            &self.unionid,
            &self.openid,
            self.token.expose(),
            self.ticket.as_deref().map_or("", |ticket| ticket.expose()),
            self.corp_secret.expose(),
        ]
    }
}

#[cfg(test)]
mod tests;
