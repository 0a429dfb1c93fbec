mod beside;
mod events;
mod outbox;
mod people;
mod questions;
mod telegram;
mod topics;
mod webhooks;
