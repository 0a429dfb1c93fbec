mod counts;
mod long;
mod swarm;
