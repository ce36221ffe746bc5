//! The Win32 codes that calls answer with.

use core::fmt;

/// The Win32 code of an answer, raw; codes without a name here are as valid (MS-ERREF 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Code(pub u32);

/// Makes the constants and their names from one list.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $constant:ident = $value:literal, $name:literal;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $constant: Self = Self($value);)+

            /// What the code means in a few words, where it is one that services answer with.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    Self(_) => None,
                }
            }
        }
    };
}

codes! {
    /// `ERROR_SUCCESS`.
    SUCCESS = 0, "success";
    /// `ERROR_PATH_NOT_FOUND`: the executable of the service is not there.
    PATH_NOT_FOUND = 3, "path not found";
    /// `ERROR_ACCESS_DENIED`.
    ACCESS_DENIED = 5, "access denied";
    /// `ERROR_INVALID_HANDLE`.
    INVALID_HANDLE = 6, "invalid handle";
    /// `ERROR_INVALID_PARAMETER`.
    INVALID_PARAMETER = 87, "invalid parameter";
    /// `ERROR_CALL_NOT_IMPLEMENTED`.
    CALL_NOT_IMPLEMENTED = 120, "call not implemented";
    /// `ERROR_INSUFFICIENT_BUFFER`: ask again with the size that the answer tells.
    INSUFFICIENT_BUFFER = 122, "insufficient buffer";
    /// `ERROR_INVALID_NAME`.
    INVALID_NAME = 123, "invalid name";
    /// `ERROR_INVALID_LEVEL`: the server does not have this piece of configuration.
    INVALID_LEVEL = 124, "invalid level";
    /// `ERROR_MORE_DATA`: the list is longer than the buffer.
    MORE_DATA = 234, "more data";
    /// `ERROR_IO_PENDING`.
    IO_PENDING = 997, "in progress";
    /// `ERROR_DEPENDENT_SERVICES_RUNNING`.
    DEPENDENT_SERVICES_RUNNING = 1051, "other running services depend on it";
    /// `ERROR_INVALID_SERVICE_CONTROL`.
    INVALID_SERVICE_CONTROL = 1052, "the control is not valid for this service";
    /// `ERROR_SERVICE_REQUEST_TIMEOUT`.
    SERVICE_REQUEST_TIMEOUT = 1053, "the service did not answer in time";
    /// `ERROR_SERVICE_NO_THREAD`.
    SERVICE_NO_THREAD = 1054, "no thread could be made for the service";
    /// `ERROR_SERVICE_DATABASE_LOCKED`.
    SERVICE_DATABASE_LOCKED = 1055, "the service database is locked";
    /// `ERROR_SERVICE_ALREADY_RUNNING`.
    SERVICE_ALREADY_RUNNING = 1056, "already running";
    /// `ERROR_INVALID_SERVICE_ACCOUNT`.
    INVALID_SERVICE_ACCOUNT = 1057, "the service account is not valid";
    /// `ERROR_SERVICE_DISABLED`.
    SERVICE_DISABLED = 1058, "the service is disabled";
    /// `ERROR_CIRCULAR_DEPENDENCY`.
    CIRCULAR_DEPENDENCY = 1059, "circular dependency";
    /// `ERROR_SERVICE_DOES_NOT_EXIST`.
    SERVICE_DOES_NOT_EXIST = 1060, "no such service";
    /// `ERROR_SERVICE_CANNOT_ACCEPT_CTRL`.
    SERVICE_CANNOT_ACCEPT_CONTROL = 1061, "the service cannot take controls now";
    /// `ERROR_SERVICE_NOT_ACTIVE`.
    SERVICE_NOT_ACTIVE = 1062, "not running";
    /// `ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`.
    FAILED_SERVICE_CONTROLLER_CONNECT = 1063, "the service process could not reach its manager";
    /// `ERROR_EXCEPTION_IN_SERVICE`.
    EXCEPTION_IN_SERVICE = 1064, "exception in the service";
    /// `ERROR_DATABASE_DOES_NOT_EXIST`.
    DATABASE_DOES_NOT_EXIST = 1065, "no such service database";
    /// `ERROR_SERVICE_SPECIFIC_ERROR`: the service's own exit code tells more.
    SERVICE_SPECIFIC_ERROR = 1066, "an error of the service's own";
    /// `ERROR_PROCESS_ABORTED`.
    PROCESS_ABORTED = 1067, "the process ended unexpectedly";
    /// `ERROR_SERVICE_DEPENDENCY_FAIL`.
    SERVICE_DEPENDENCY_FAIL = 1068, "a service that it depends on failed";
    /// `ERROR_SERVICE_LOGON_FAILED`.
    SERVICE_LOGON_FAILED = 1069, "the service could not log on";
    /// `ERROR_SERVICE_START_HANG`.
    SERVICE_START_HANG = 1070, "the service hung on starting";
    /// `ERROR_INVALID_SERVICE_LOCK`.
    INVALID_SERVICE_LOCK = 1071, "invalid service lock";
    /// `ERROR_SERVICE_MARKED_FOR_DELETE`.
    SERVICE_MARKED_FOR_DELETE = 1072, "marked for deletion";
    /// `ERROR_SERVICE_EXISTS`.
    SERVICE_EXISTS = 1073, "the service exists already";
    /// `ERROR_ALREADY_RUNNING_LKG`.
    ALREADY_RUNNING_LAST_GOOD = 1074, "running with the last known good configuration";
    /// `ERROR_SERVICE_DEPENDENCY_DELETED`.
    SERVICE_DEPENDENCY_DELETED = 1075, "a service that it depends on does not exist";
    /// `ERROR_BOOT_ALREADY_ACCEPTED`.
    BOOT_ALREADY_ACCEPTED = 1076, "the boot was accepted already";
    /// `ERROR_SERVICE_NEVER_STARTED`.
    SERVICE_NEVER_STARTED = 1077, "never started since the boot";
    /// `ERROR_DUPLICATE_SERVICE_NAME`.
    DUPLICATE_SERVICE_NAME = 1078, "the display name is taken";
    /// `ERROR_DIFFERENT_SERVICE_ACCOUNT`.
    DIFFERENT_SERVICE_ACCOUNT = 1079, "another account than the rest of its process";
    /// `ERROR_SHUTDOWN_IN_PROGRESS`.
    SHUTDOWN_IN_PROGRESS = 1115, "the system is shutting down";
    /// `ERROR_REQUEST_ABORTED`.
    REQUEST_ABORTED = 1235, "the request was aborted";
    /// `ERROR_ALREADY_REGISTERED`: a notification is asked for already on this handle.
    ALREADY_REGISTERED = 1242, "already registered";
    /// `ERROR_SERVICE_NOTIFY_CLIENT_LAGGING` (MS-SCMR 3.1.4.43).
    NOTIFY_CLIENT_LAGGING = 1294, "the client is too slow for notifications";
}

impl Code {
    /// Whether the call succeeded.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == Self::SUCCESS.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}
