//! Everywhere that svcwatch does something else with a Butler file than Butler does, once for `check`, `import`, the
//! manual's table and the comparison with what Butler really sent.

/// One thing that is different.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name, for tests and lists.
    pub id: &'static str,
    /// The numbers of Butler's faults that it concerns, as the manual counts them; empty where it is a matter of taste.
    pub faults: &'static [u8],
    /// What Butler does.
    pub butler: &'static str,
    /// What svcwatch does.
    pub svcwatch: &'static str,
    /// Why.
    pub why: &'static str,
}

macro_rules! differences {
    ($( $name:ident $id:literal $faults:expr, $butler:literal, $svcwatch:literal, $why:literal; )+) => {
        $( pub(super) static $name: Difference = Difference {
            id: $id, faults: &$faults, butler: $butler, svcwatch: $svcwatch, why: $why,
        }; )+
        /// All of them, in the order of the manual.
        pub static DIFFERENCES: &[&Difference] = &[$( &$name ),+];
    };
}

differences! {
    PLATFORM "platform" [1],
        "monitors only on Windows, and only while `systemInfo.enable` is true",
        "monitors from Linux and Windows and does not look at `systemInfo`",
        "nothing about a host's services depends on where they are read from";
    ACCOUNT "account" [],
        "reads hosts as the Windows account that it runs as",
        "reads hosts with the account that a second file names; on Windows a host without an account is read as svcwatch's own Windows account (`transport: local`)",
        "from Linux there is no such account";
    SECTIONS "sections" [27],
        "does not start without certificates, engine, QRS and directories",
        "reads only what concerns the monitor of Windows services; a section that is not there is off",
        "the rest has no meaning here";
    HOST_FAULT "host_fault" [2, 4, 5],
        "ends, or stops monitoring everything until a restart, or writes one line of log, where a host cannot be read",
        "tells `host_unreachable`, `access_denied` and the like as one notice once it has lasted 90 s, and goes on with all others",
        "what cannot be seen must not look well, and one host must not blind the others";
    MISSING "missing" [4],
        "stops monitoring everything until a restart where one service is not installed",
        "tells MISSING for that service and watches the others",
        "a typing error in one name must not cost all alerts";
    NAMES "names" [10, 23],
        "does not find a service whose name differs in case, and cannot read one with `$`, `(`, `&` or quotes in its name",
        "compares names without case, as Windows does, and takes any character",
        "named instances of SQL Server are called `MSSQL$NAME`";
    ADDRESSES "addresses" [24],
        "refuses IPv6 addresses as hosts",
        "takes them",
        "they work";
    PAUSED "paused" [6],
        "takes paused and all pending states for RUNNING",
        "tells PAUSED as such at serviceStopped's address with its built-in text; a pending state neither begins nor ends an alert until it is stuck, which is told with its own state",
        "a paused service does not do its work, and one that hangs while starting does not run";
    FIRST_LOOK "first_look" [],
        "tells each stopped service again at each of its own starts, with PAUSED as the state before",
        "tells it once, with UNKNOWN as the state before, and never again because of a restart",
        "PAUSED was never true, and a restart of the monitor is no news";
    FIRST_STARTED "first_started" [],
        "tells `started` where its first check of a service failed and the next finds it running",
        "tells nothing of a service that nobody saw stopped",
        "nothing happened to the service";
    PENDING_BEFORE "pending_before" [6],
        "knows STOPPED and RUNNING only as the state before",
        "says the true state before, which may be START_PENDING or STOP_PENDING where a check saw it",
        "a service passes through them";
    START_TYPE "start_type" [9],
        "tells a delayed start as `Automatic`, and nothing at all of services that start with the boot loader or the system",
        "tells `Automatic (delayed start)`, `Boot` and `System`",
        "they are different";
    NO_DETAILS "no_details" [],
        "ends where it cannot read how a service is set up",
        "tells what it knows and leaves start type, path and dependencies empty",
        "an account may be allowed to see the state alone";
    MASKED "masked" [22],
        "tells the command line of a service as it is, and writes keys of New Relic into its log",
        "masks arguments that look like secrets, and writes no secret anywhere",
        "alerts travel through many hands";
    CHECKS "checks" [18],
        "starts one process for each host and two for each service at each check, without a limit in time; a slow check may overwrite a newer one",
        "reads a host over one connection, once at a time and within 10 s, and drops late answers",
        "an old reading must never pass for a new one";
    FREQUENCY "frequency" [17],
        "never checks, or checks without a pause, where it misreads the text of the schedule, and says nothing",
        "refuses such a text and says what to write instead; all others mean the same times in UTC",
        "a schedule that is silently wrong is worse than none";
    SPELLING "spelling" [16],
        "accepts `Basic` or ` post ` when it checks its file, and fails when it is to send",
        "takes them for `basic` and `POST`",
        "the meaning is plain";
    CASCADE "cascade" [3],
        "calls destinations one after another; one that fails may cost the alert at all later ones",
        "gives each recipient at each destination a queue of its own",
        "a broken mail server must not silence the chat";
    RETRIES "retries" [19, 25],
        "tries once; what fails is lost, and Slack, Teams and most webhooks have no limit in time",
        "tries again, from seconds to minutes apart, until it is accepted or 24 h old; one try takes 10 s at most; nothing is lost in a restart",
        "an alert that was not delivered is none";
    LIMITS "limits" [7],
        "drops every message of a service that comes within `rateLimit` after another one, so the last word may be wrong for ever",
        "holds it back until the time is over, merges what came meanwhile and always tells the last state",
        "with 300 s a normal restart left receivers believing that the service is down";
    LIMIT_STARTED "limit_started" [7],
        "ignores `serviceStarted.rateLimit`; serviceStopped's counts for both",
        "does the same",
        "both are messages about one service";
    LIMIT_ZERO "limit_zero" [8],
        "sends one message for each service and never again where `rateLimit` is 0",
        "sends without a limit",
        "that is what a limit of nothing says";
    LIMIT_SHORT "limit_short" [],
        "takes any fraction of a second, and any length",
        "takes at least 1 s and at most one day",
        "shorter ones limit nothing, and after a day it is news again";
    OTHER_EVENTS "other_events" [],
        "knows two events",
        "sends every other event (hosts, paused, missing, stuck) where serviceStopped goes, and its end where serviceStarted goes, with a built-in text; on MQTT to the status topic alone",
        "templates that speak of a stopped service would say something untrue";
    FALLBACK "fallback" [15, 25],
        "sends nothing where a template is missing or does not give JSON, as its own Teams templates do with only the link `butler_docs`",
        "sends its built-in message instead, and says so in `check`, log and metric",
        "a plain alert is better than none";
    ESCAPE_PLAIN "escape_plain" [14],
        "writes `&amp;` and the like into subjects and one-line messages",
        "writes the names as they are; line ends are removed",
        "subjects and plain text are no HTML";
    ESCAPE_JSON "escape_json" [14],
        "escapes for HTML in JSON templates, and not for JSON: a backslash or a quote spoils the message",
        "escapes for JSON, with two braces as with three",
        "a path with backslashes must arrive";
    BUTTONS "buttons" [20],
        "adds two buttons without an address to one-line messages in Slack and Teams",
        "adds none",
        "they lead nowhere";
    SLACK_TYPE "slack_type" [],
        "posts JSON to Slack as `application/x-www-form-urlencoded`",
        "posts it as `application/json`",
        "Slack asks for that";
    SLACK_TEXT "slack_text" [],
        "sends one-line messages to Slack as blocks alone",
        "adds the line as `text`",
        "notifications and screen readers show it";
    MAIL_PARTS "mail_parts" [26],
        "sends HTML alone",
        "sends HTML with a text part, a date, a message id and the thread of the incident",
        "text readers and spam filters want it";
    MAIL_TLS "mail_tls" [11],
        "ignores `ignoreTLS`, `requireTLS` and `serverName`: it encrypts where the server offers it, and says the password in the clear where not",
        "carries them out; where none of them is set it encrypts if the server offers it, and does not log on where it does not",
        "credentials went readable over the network although the file forbade it";
    MAIL_RECIPIENTS "mail_recipients" [],
        "leaves out recipients that it takes for no address, such as `Name <a@b.example>` and `a@localhost`",
        "sends to these two too, and leaves out what is no address at all",
        "they are addresses";
    WEBHOOK_SWITCH "webhook_switch" [12],
        "ignores the value of `webhookNotification.enable`; `alertDestination.webhook.enable` alone counts",
        "does the same",
        "webhooks that work today go on working; turn off the other switch to be without";
    WEBHOOK_QUERY "webhook_query" [12],
        "throws the URL's own query away where the method is GET",
        "keeps it and adds its parameters",
        "receivers put their tokens there";
    WEBHOOK_ALONE "webhook_alone" [12],
        "does not call the webhooks after one that failed",
        "calls each by itself",
        "they have nothing to do with each other";
    WEBHOOK_LIMIT "webhook_limit" [],
        "counts all webhooks together as one, before anything is sent",
        "counts each by itself, from its last message",
        "each has its own queue";
    WEBHOOK_HEADERS "webhook_headers" [],
        "sends nothing by which a repeated message can be known",
        "adds the header `Idempotency-Key`",
        "a message may arrive twice after a crash";
    NEWRELIC_SWITCHES "newrelic_switches" [13],
        "ignores the values of `newRelic.enable` and `destination.event.enable` and `destination.log.enable`",
        "does the same; `alertDestination.newRelic.enable` and `monitorServiceState` count",
        "what arrives today goes on arriving";
    NEWRELIC_ACCOUNTS "newrelic_accounts" [],
        "does not send to the accounts after one that failed",
        "sends to each account by itself; one that has no credentials is left out with a warning",
        "they have nothing to do with each other";
    NEWRELIC_BEFORE "newrelic_before" [],
        "does not send the state before",
        "adds `butler_servicePrevStatus`",
        "a start after a pause is another thing than one after a stop";
    MQTT_QUALITY "mqtt_quality" [21],
        "publishes once and unacknowledged, keeps nothing at the broker and says nothing when it dies",
        "publishes with acknowledgement (QoS 1), keeps the status topic at the broker, and says `online`, and by a last will `offline`, under `svcwatch` below the status topic",
        "who subscribes later must learn how things stand";
    MQTT_BUTLER "mqtt_butler" [],
        "publishes a text to `qliksense/butler/mqtt/status` and subscribes to `subscriptionRootTopic`",
        "does neither",
        "nothing of it concerns services";
    INFLUX_KEPT "influx_kept" [22],
        "writes each point at once, without a time of its own, and loses it where the database does not answer",
        "writes in batches with the time of the reading, and keeps and repeats them while the database is down; of a host that cannot be read it writes one last point for each service, UNKNOWN and -1",
        "graphs must not have holes";
    INFLUX_STATES "influx_states" [9],
        "writes 1 or 4 as `state_num`, and never 1 as `startup_mode_num`",
        "writes the true state (paused is 7) and start type (delayed is 1)",
        "the numbers were meant so";
    LOG "log" [26],
        "labels lines of its log wrongly, among them mails about services as reload failures",
        "writes its own log and has an API, metrics and `svcwatch explain`",
        "what was told, what not, and why, can be asked";
}
