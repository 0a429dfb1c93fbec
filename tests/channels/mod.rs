mod events;
mod outbox;
mod people;
mod telegram;
mod webhooks;
