mod events;
mod outbox;
mod people;
mod running;
mod telegram;
mod webhooks;
