//! How rows with many columns are written.

pub(super) const TARGET: &str = "INSERT INTO target (host, service, service_shown, state, since, previous_state, flags, seq, wrong_since,
        pid, exit_code, service_exit_code, start_type, display_name, host_shown, selected_start, details,
        restarts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
    ON CONFLICT (host, service) DO UPDATE SET service_shown = excluded.service_shown, state = excluded.state,
        since = excluded.since, previous_state = excluded.previous_state, flags = excluded.flags, seq = excluded.seq,
        wrong_since = excluded.wrong_since, pid = excluded.pid, exit_code = excluded.exit_code,
        service_exit_code = excluded.service_exit_code, start_type = excluded.start_type,
        display_name = excluded.display_name, host_shown = excluded.host_shown,
        selected_start = excluded.selected_start, details = excluded.details, restarts = excluded.restarts";

pub(super) const GROUP: &str = "INSERT OR REPLACE INTO counted (name, service, name_shown, service_shown, seq, wrong_since, ran_on, removed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) const SILENCE: &str = "INSERT OR REPLACE INTO silence (id, matcher, author, comment, from_at, until_at, ended_at, ended_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) const INCIDENT: &str = "INSERT INTO incident (id, subject, seq, event, severity, opened_at, resolved_at, acknowledged_by,
        acknowledged_at, acknowledged_note, cause, previous_state, told, held_until, reminded_at, first_look, muted,
        untold, evidence)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, seq = excluded.seq, event = excluded.event,
        severity = excluded.severity, opened_at = excluded.opened_at, resolved_at = excluded.resolved_at,
        acknowledged_by = excluded.acknowledged_by, acknowledged_at = excluded.acknowledged_at,
        acknowledged_note = excluded.acknowledged_note, cause = excluded.cause, previous_state = excluded.previous_state,
        told = excluded.told, held_until = excluded.held_until, reminded_at = excluded.reminded_at,
        first_look = excluded.first_look, muted = excluded.muted, untold = excluded.untold,
        evidence = excluded.evidence";
