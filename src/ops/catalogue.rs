//! The catalogue of operations: what each is called and which doors offer it.

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A tool of the MCP server.
    Mcp,
    /// A verb of the command line.
    Cli,
    /// A route of the HTTP door.
    Http,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Its name; the MCP tool is called the same.
    pub name: &'static str,
    /// The command line's verb for it.
    pub verb: Option<&'static str>,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// Whether a session may not do it to itself or its ancestors.
    pub not_to_oneself: bool,
    /// The doors that offer it.
    pub doors: &'static [Door],
}

const ALL: &[Door] = &[Door::Mcp, Door::Cli, Door::Http];

const MCP_CLI: &[Door] = &[Door::Mcp, Door::Cli];

const CLI_HTTP: &[Door] = &[Door::Cli, Door::Http];

const CLI: &[Door] = &[Door::Cli];

const HTTP: &[Door] = &[Door::Http];

/// Every operation.
pub const OPS: &[Op] = &[
    Op { name: "create_session", verb: Some("create"), read_only: false, not_to_oneself: false, doors: ALL },
    Op {
        name: "batch_create_sessions",
        verb: Some("batch"),
        read_only: false,
        not_to_oneself: false,
        doors: ALL,
    },
    Op { name: "list_sessions", verb: Some("list"), read_only: true, not_to_oneself: false, doors: ALL },
    Op { name: "get_status", verb: Some("show"), read_only: true, not_to_oneself: false, doors: ALL },
    Op {
        name: "wait_for_session",
        verb: Some("wait"),
        read_only: true,
        not_to_oneself: false,
        doors: MCP_CLI,
    },
    Op { name: "send_message", verb: Some("send"), read_only: false, not_to_oneself: true, doors: ALL },
    Op { name: "send_command", verb: Some("command"), read_only: false, not_to_oneself: true, doors: ALL },
    Op { name: "send_bash", verb: Some("bash"), read_only: false, not_to_oneself: true, doors: ALL },
    Op {
        name: "approve_permission",
        verb: Some("approve"),
        read_only: false,
        not_to_oneself: true,
        doors: ALL,
    },
    Op {
        name: "reject_permission",
        verb: Some("reject"),
        read_only: false,
        not_to_oneself: true,
        doors: ALL,
    },
    Op {
        name: "interrupt_session",
        verb: Some("interrupt"),
        read_only: false,
        not_to_oneself: true,
        doors: ALL,
    },
    Op { name: "escape_session", verb: Some("escape"), read_only: false, not_to_oneself: true, doors: ALL },
    Op { name: "kill_session", verb: Some("kill"), read_only: false, not_to_oneself: true, doors: ALL },
    Op { name: "get_transcript", verb: Some("read"), read_only: true, not_to_oneself: false, doors: ALL },
    Op { name: "capture_pane", verb: Some("pane"), read_only: true, not_to_oneself: false, doors: ALL },
    Op {
        name: "get_session_summary",
        verb: Some("summary"),
        read_only: true,
        not_to_oneself: false,
        doors: ALL,
    },
    Op {
        name: "get_session_metrics",
        verb: Some("metrics"),
        read_only: true,
        not_to_oneself: false,
        doors: ALL,
    },
    Op {
        name: "get_session_latency",
        verb: Some("latency"),
        read_only: true,
        not_to_oneself: false,
        doors: ALL,
    },
    Op { name: "get_swarm", verb: Some("swarm"), read_only: true, not_to_oneself: false, doors: ALL },
    Op { name: "server_health", verb: Some("health"), read_only: true, not_to_oneself: false, doors: ALL },
    Op { name: "explain", verb: Some("explain"), read_only: true, not_to_oneself: false, doors: CLI },
    Op { name: "attach", verb: Some("attach"), read_only: false, not_to_oneself: true, doors: CLI_HTTP },
    Op {
        name: "create_pipeline",
        verb: Some("pipeline create"),
        read_only: false,
        not_to_oneself: false,
        doors: ALL,
    },
    Op {
        name: "list_pipelines",
        verb: Some("pipeline list"),
        read_only: true,
        not_to_oneself: false,
        doors: ALL,
    },
    Op {
        name: "get_pipeline",
        verb: Some("pipeline show"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "cancel_pipeline",
        verb: Some("pipeline cancel"),
        read_only: false,
        not_to_oneself: true,
        doors: CLI_HTTP,
    },
    Op { name: "state_set", verb: Some("state set"), read_only: false, not_to_oneself: false, doors: ALL },
    Op { name: "state_get", verb: Some("state get"), read_only: true, not_to_oneself: false, doors: ALL },
    Op {
        name: "state_delete",
        verb: Some("state delete"),
        read_only: false,
        not_to_oneself: false,
        doors: ALL,
    },
    Op {
        name: "state_list",
        verb: Some("state list"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "create_template",
        verb: Some("template create"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "list_templates",
        verb: Some("template list"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "get_template",
        verb: Some("template show"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "update_template",
        verb: Some("template update"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "delete_template",
        verb: Some("template delete"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "list_channels",
        verb: Some("channels list"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "channels_health",
        verb: Some("channels health"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "test_channels",
        verb: Some("channels test"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "list_dead_letters",
        verb: Some("channels dead-letters"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "list_deliveries",
        verb: Some("channels deliveries"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "retry_deliveries",
        verb: Some("channels retry"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "list_refusals",
        verb: Some("channels refusals"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "alert_stats",
        verb: Some("channels alerts"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    // The command line tries alerts out as it does every channel.
    Op { name: "test_alerts", verb: None, read_only: false, not_to_oneself: false, doors: HTTP },
    Op {
        name: "create_key",
        verb: Some("keys create"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "list_keys",
        verb: Some("keys list"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "rotate_key",
        verb: Some("keys rotate"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "revoke_key",
        verb: Some("keys revoke"),
        read_only: false,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "get_audit",
        verb: Some("audit list"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "verify_audit",
        verb: Some("audit verify"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op {
        name: "export_audit",
        verb: Some("audit export"),
        read_only: true,
        not_to_oneself: false,
        doors: CLI_HTTP,
    },
    Op { name: "verify_session", verb: None, read_only: false, not_to_oneself: false, doors: HTTP },
    Op { name: "screenshot", verb: None, read_only: true, not_to_oneself: false, doors: HTTP },
    Op { name: "spawn_session", verb: None, read_only: false, not_to_oneself: false, doors: HTTP },
    Op { name: "fork_session", verb: None, read_only: false, not_to_oneself: false, doors: HTTP },
    Op { name: "list_children", verb: None, read_only: true, not_to_oneself: false, doors: HTTP },
    Op { name: "get_policy", verb: None, read_only: true, not_to_oneself: false, doors: HTTP },
    Op { name: "set_policy", verb: None, read_only: false, not_to_oneself: true, doors: HTTP },
    Op { name: "get_figures", verb: None, read_only: true, not_to_oneself: false, doors: HTTP },
    Op { name: "route_task", verb: None, read_only: true, not_to_oneself: false, doors: HTTP },
    Op { name: "model_tiers", verb: None, read_only: true, not_to_oneself: false, doors: HTTP },
];
