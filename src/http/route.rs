//! One route: what it is called, who may, what it takes and what it gives. Router and description are made of these.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::door::HttpDoor;
use crate::access::{Needs, Permission};

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a route answers on success.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The kind of body; none where there is no body.
    pub(super) content: &'static str,
    pub(super) schema: Option<SchemaOf>,
}

/// One route.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// The path as the router and the description write it: `/v1/sessions/{id}`.
    pub(super) path: &'static str,
    /// The spelling without `/v1`, where there is one.
    pub(super) older: Option<&'static str>,
    /// What it does, in one sentence.
    pub(super) summary: &'static str,
    pub(super) needs: Needs,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<SchemaOf>,
    pub(super) answers: Vec<Answer>,
    /// Whether the operation itself knows what was asked with the same key before; else [`super::repeat`] does.
    pub(super) keyed: bool,
    pub(super) handler: MethodRouter<HttpDoor>,
}

impl Route {
    fn new<H, T>(method: &'static str, filter: MethodFilter, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, HttpDoor>,
        T: 'static,
    {
        Self {
            method,
            path,
            older: path.strip_prefix("/v1"),
            summary: "",
            needs: Needs::Anyone,
            query: None,
            body: None,
            answers: Vec::new(),
            keyed: false,
            handler: on(filter, handler),
        }
    }

    pub(super) fn get<H: Handler<T, HttpDoor>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("get", MethodFilter::GET, path, handler)
    }

    pub(super) fn post<H: Handler<T, HttpDoor>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("post", MethodFilter::POST, path, handler)
    }

    pub(super) fn put<H: Handler<T, HttpDoor>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("put", MethodFilter::PUT, path, handler)
    }

    pub(super) fn delete<H: Handler<T, HttpDoor>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("delete", MethodFilter::DELETE, path, handler)
    }

    pub(super) fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Anybody may call it, without a token too.
    pub(super) fn public(mut self) -> Self {
        self.needs = Needs::Nothing;
        self
    }

    pub(super) fn needs(mut self, permission: Permission) -> Self {
        self.needs = Needs::Permission(permission);
        self
    }

    /// Viewers may not call it, whatever else they were given.
    pub(super) fn operator(mut self) -> Self {
        self.needs = Needs::Operator;
        self
    }

    /// Only admins may call it.
    pub(super) fn admin(mut self) -> Self {
        self.needs = Needs::Admin;
        self
    }

    /// It has no spelling without `/v1`.
    pub(super) fn only(mut self) -> Self {
        self.older = None;
        self
    }

    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema::<T>);
        self
    }

    pub(super) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(schema::<T>);
        self
    }

    /// The operation keeps idempotency keys by itself, for longer and across servers.
    pub(super) fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }

    /// Whether a call may change something.
    pub(super) fn mutates(&self) -> bool {
        self.method != "get"
    }

    /// It answers with a text of this kind.
    pub(super) fn text(mut self, status: u16, content: &'static str) -> Self {
        self.answers.push(Answer { status, content, schema: Some(schema::<String>) });
        self
    }

    pub(super) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push(Answer { status, content: "application/json", schema: Some(schema::<T>) });
        self
    }

    /// It answers with a stream of events.
    pub(super) fn streams(mut self) -> Self {
        self.answers.push(Answer {
            status: 200,
            content: "text/event-stream",
            schema: Some(schema::<String>),
        });
        self
    }

    /// It becomes a WebSocket.
    pub(super) fn upgrades(mut self) -> Self {
        self.answers.push(Answer { status: 101, content: "", schema: None });
        self
    }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
