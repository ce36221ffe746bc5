//! The services of the simulated hosts: what Windows servers of each kind really have, by key and display name.

use super::catalogue::{Kind, Service, Start};

const LOCAL_SYSTEM: &str = "LocalSystem";
const LOCAL_SERVICE: &str = r"NT AUTHORITY\LocalService";
const NETWORK_SERVICE: &str = r"NT AUTHORITY\NetworkService";

/// A service of the system that shares its process with others.
const fn shared(
    name: &'static str,
    display_name: &'static str,
    start: Start,
    running: bool,
    account: &'static str,
) -> Service {
    Service {
        name,
        display_name,
        start,
        running,
        watched: false,
        shared: true,
        account,
        path: r"C:\Windows\System32\svchost.exe -k netsvcs -p",
        needs: &["RpcSs"],
    }
}

/// A service of the system with a process of its own.
const fn own(
    name: &'static str,
    display_name: &'static str,
    start: Start,
    running: bool,
    path: &'static str,
) -> Service {
    Service {
        name,
        display_name,
        start,
        running,
        watched: false,
        shared: false,
        account: LOCAL_SYSTEM,
        path,
        needs: &["RpcSs"],
    }
}

/// A service that the machine is there for: it starts with the machine, runs and is watched.
const fn duty(
    name: &'static str,
    display_name: &'static str,
    path: &'static str,
    needs: &'static [&'static str],
) -> Service {
    Service {
        name,
        display_name,
        start: Start::Automatic,
        running: true,
        watched: true,
        shared: false,
        account: LOCAL_SYSTEM,
        path,
        needs,
    }
}

/// As [`duty`], with an account of its own.
const fn duty_as(service: Service, account: &'static str) -> Service {
    Service { account, ..service }
}

/// As given, and watched.
const fn watched(service: Service) -> Service {
    Service {
        watched: true,
        ..service
    }
}

/// As given, but not watched.
const fn aside(service: Service) -> Service {
    Service {
        watched: false,
        ..service
    }
}

/// As given, but started some minutes after the machine.
const fn delayed(service: Service) -> Service {
    Service {
        start: Start::AutomaticDelayed,
        ..service
    }
}

/// What every host has. A host takes from the front as many as its own services leave room for.
#[rustfmt::skip]
pub(super) const COMMON: &[Service] = &[
    watched(own("Spooler", "Print Spooler", Start::Automatic, true, r"C:\Windows\System32\spoolsv.exe")),
    watched(shared("EventLog", "Windows Event Log", Start::Automatic, true, LOCAL_SERVICE)),
    watched(shared("Schedule", "Task Scheduler", Start::Automatic, true, LOCAL_SYSTEM)),
    watched(shared("W32Time", "Windows Time", Start::Automatic, true, LOCAL_SERVICE)),
    watched(shared("WinRM", "Windows Remote Management (WS-Management)", Start::Automatic, true, NETWORK_SERVICE)),
    shared("LanmanServer", "Server", Start::Automatic, true, LOCAL_SYSTEM),
    shared("LanmanWorkstation", "Workstation", Start::Automatic, true, NETWORK_SERVICE),
    shared("RpcSs", "Remote Procedure Call (RPC)", Start::Automatic, true, NETWORK_SERVICE),
    shared("RpcEptMapper", "RPC Endpoint Mapper", Start::Automatic, true, NETWORK_SERVICE),
    shared("DcomLaunch", "DCOM Server Process Launcher", Start::Automatic, true, LOCAL_SYSTEM),
    own("SamSs", "Security Accounts Manager", Start::Automatic, true, r"C:\Windows\System32\lsass.exe"),
    own("Netlogon", "Netlogon", Start::Automatic, true, r"C:\Windows\System32\lsass.exe"),
    shared("Dhcp", "DHCP Client", Start::Automatic, true, LOCAL_SERVICE),
    shared("Dnscache", "DNS Client", Start::Automatic, true, NETWORK_SERVICE),
    shared("CryptSvc", "Cryptographic Services", Start::Automatic, true, NETWORK_SERVICE),
    shared("gpsvc", "Group Policy Client", Start::Automatic, true, LOCAL_SYSTEM),
    shared("iphlpsvc", "IP Helper", Start::Automatic, true, LOCAL_SYSTEM),
    shared("mpssvc", "Windows Defender Firewall", Start::Automatic, true, LOCAL_SERVICE),
    shared("BFE", "Base Filtering Engine", Start::Automatic, true, LOCAL_SERVICE),
    shared("nsi", "Network Store Interface Service", Start::Automatic, true, LOCAL_SERVICE),
    shared("NlaSvc", "Network Location Awareness", Start::Automatic, true, NETWORK_SERVICE),
    shared("Winmgmt", "Windows Management Instrumentation", Start::Automatic, true, LOCAL_SYSTEM),
    shared("EventSystem", "COM+ Event System", Start::Automatic, true, LOCAL_SERVICE),
    shared("ProfSvc", "User Profile Service", Start::Automatic, true, LOCAL_SYSTEM),
    shared("SENS", "System Event Notification Service", Start::Automatic, true, LOCAL_SYSTEM),
    shared("UserManager", "User Manager", Start::Automatic, true, LOCAL_SYSTEM),
    shared("Power", "Power", Start::Automatic, true, LOCAL_SYSTEM),
    shared("DPS", "Diagnostic Policy Service", Start::Automatic, true, LOCAL_SERVICE),
    shared("TermService", "Remote Desktop Services", Start::Manual, true, NETWORK_SERVICE),
    shared("SessionEnv", "Remote Desktop Configuration", Start::Manual, true, LOCAL_SYSTEM),
    shared("UmRdpService", "Remote Desktop Services UserMode Port Redirector", Start::Manual, true, LOCAL_SYSTEM),
    own("WinDefend", "Microsoft Defender Antivirus Service", Start::Automatic, true, r"C:\ProgramData\Microsoft\Windows Defender\Platform\MsMpEng.exe"),
    own("MSDTC", "Distributed Transaction Coordinator", Start::AutomaticDelayed, true, r"C:\Windows\System32\msdtc.exe"),
    shared("wuauserv", "Windows Update", Start::Manual, false, LOCAL_SYSTEM),
    shared("BITS", "Background Intelligent Transfer Service", Start::Manual, false, LOCAL_SYSTEM),
    own("TrustedInstaller", "Windows Modules Installer", Start::Manual, false, r"C:\Windows\servicing\TrustedInstaller.exe"),
    own("msiserver", "Windows Installer", Start::Manual, false, r"C:\Windows\System32\msiexec.exe /V"),
    own("VSS", "Volume Shadow Copy", Start::Manual, false, r"C:\Windows\System32\vssvc.exe"),
    own("KeyIso", "CNG Key Isolation", Start::Manual, true, r"C:\Windows\System32\lsass.exe"),
    own("VaultSvc", "Credential Manager", Start::Manual, true, r"C:\Windows\System32\lsass.exe"),
    own("COMSysApp", "COM+ System Application", Start::Manual, true, r"C:\Windows\System32\dllhost.exe /Processid:{02D4B3F1-FD88-11D1-960D-00805FC79235}"),
    shared("RemoteRegistry", "Remote Registry", Start::Disabled, false, LOCAL_SERVICE),
    shared("seclogon", "Secondary Logon", Start::Manual, false, LOCAL_SYSTEM),
    shared("CertPropSvc", "Certificate Propagation", Start::Manual, true, LOCAL_SYSTEM),
    shared("WdiSystemHost", "Diagnostic System Host", Start::Manual, true, LOCAL_SYSTEM),
    shared("UALSVC", "User Access Logging Service", Start::AutomaticDelayed, true, LOCAL_SYSTEM),
    own("vmicheartbeat", "Hyper-V Heartbeat Service", Start::Manual, true, r"C:\Windows\System32\svchost.exe -k ICService -p"),
    own("CcmExec", "SMS Agent Host", Start::AutomaticDelayed, true, r"C:\Windows\CCM\CcmExec.exe"),
    own("SNMPTRAP", "SNMP Trap", Start::Manual, false, r"C:\Windows\System32\snmptrap.exe"),
    shared("Wecsvc", "Windows Event Collector", Start::Manual, false, NETWORK_SERVICE),
    shared("SysMain", "SysMain", Start::Disabled, false, LOCAL_SYSTEM),
    shared("ShellHWDetection", "Shell Hardware Detection", Start::Disabled, false, LOCAL_SYSTEM),
    shared("AppIDSvc", "Application Identity", Start::Manual, false, LOCAL_SERVICE),
    shared("Appinfo", "Application Information", Start::Manual, false, LOCAL_SYSTEM),
    shared("netprofm", "Network List Service", Start::Manual, true, NETWORK_SERVICE),
    shared("PlugPlay", "Plug and Play", Start::Manual, true, LOCAL_SYSTEM),
];

const EXCHANGE: &str = r"C:\Program Files\Microsoft\Exchange Server\V15\Bin\MSExchange.exe";
const SQL: &str =
    r"C:\Program Files\Microsoft SQL Server\MSSQL15.MSSQLSERVER\MSSQL\Binn\sqlservr.exe";
const SENSE: &str = r"C:\Program Files\Qlik\Sense\ServiceDispatcher\ServiceDispatcher.exe";
const VEEAM: &str =
    r"C:\Program Files\Veeam\Backup and Replication\Backup\Veeam.Backup.Service.exe";
const SVCHOST: &str = r"C:\Windows\System32\svchost.exe -k iissvcs";
const LSASS: &str = r"C:\Windows\System32\lsass.exe";
const APPS: &str = r"D:\Services\Host\ServiceHost.exe --name";

/// The kinds of hosts, each with how many there are of a hundred and what it has besides [`COMMON`].
#[rustfmt::skip]
pub(super) const KINDS: &[Kind] = &[
    Kind {
        prefix: "web",
        share: 26,
        services: &[
            duty("W3SVC", "World Wide Web Publishing Service", SVCHOST, &["WAS", "HTTP"]),
            duty("WAS", "Windows Process Activation Service", SVCHOST, &["RpcSs"]),
            duty("AppHostSvc", "Application Host Helper Service", SVCHOST, &[]),
            aside(duty("W3LOGSVC", "W3C Logging Service", SVCHOST, &["HTTP"])),
            aside(delayed(duty("WMSVC", "Web Management Service", r"C:\Windows\System32\inetsrv\wmsvc.exe", &["HTTP"]))),
            duty_as(duty("Storefront", "Storefront", APPS, &["W3SVC"]), r"DEMO\svc-web"),
            duty_as(duty("CheckoutApi", "Checkout API", APPS, &["W3SVC"]), r"DEMO\svc-web"),
        ],
    },
    Kind {
        prefix: "app",
        share: 22,
        services: &[
            duty_as(duty("OrderIntake", "Order Intake", APPS, &["RabbitMQ"]), r"DEMO\svc-app"),
            duty_as(duty("InvoiceRun", "Invoice Run", APPS, &["OrderIntake"]), r"DEMO\svc-app"),
            duty_as(duty("PriceFeed", "Price Feed", APPS, &[]), r"DEMO\svc-app"),
            duty_as(duty("StockSync", "Stock Synchronisation", APPS, &["RabbitMQ"]), r"DEMO\svc-app"),
            duty("RabbitMQ", "RabbitMQ", r"C:\Program Files\Erlang OTP\erts-14.2\bin\erlsrv.exe", &[]),
            duty("Tomcat9", "Apache Tomcat 9.0 Tomcat9", r"C:\Program Files\Apache Software Foundation\Tomcat 9.0\bin\Tomcat9.exe //RS//Tomcat9", &["Tcpip", "Afd"]),
        ],
    },
    Kind {
        prefix: "sql",
        share: 14,
        services: &[
            duty_as(duty("MSSQLSERVER", "SQL Server (MSSQLSERVER)", SQL, &[]), r"NT Service\MSSQLSERVER"),
            duty_as(duty("SQLSERVERAGENT", "SQL Server Agent (MSSQLSERVER)", SQL, &["MSSQLSERVER"]), r"NT Service\SQLSERVERAGENT"),
            duty_as(duty("MSSQL$PROD", "SQL Server (PROD)", SQL, &[]), r"NT Service\MSSQL$PROD"),
            duty_as(duty("SQLAgent$PROD", "SQL Server Agent (PROD)", SQL, &["MSSQL$PROD"]), r"NT Service\SQLAgent$PROD"),
            duty("SQLBrowser", "SQL Server Browser", SQL, &[]),
            duty("SQLWriter", "SQL Server VSS Writer", SQL, &[]),
            aside(duty("SQLTELEMETRY", "SQL Server CEIP service (MSSQLSERVER)", SQL, &[])),
        ],
    },
    Kind {
        prefix: "file",
        share: 9,
        services: &[
            duty("Dfs", "DFS Namespace", r"C:\Windows\System32\dfssvc.exe", &["LanmanServer"]),
            duty("DFSR", "DFS Replication", r"C:\Windows\System32\DFSRs.exe", &["RpcSs"]),
            duty("SrmSvc", "File Server Resource Manager", SVCHOST, &["RpcSs"]),
            aside(duty("SrmReports", "File Server Storage Reports Manager", SVCHOST, &["SrmSvc"])),
            duty("NfsService", "Server for NFS", r"C:\Windows\System32\nfssvc.exe", &["RpcSs"]),
        ],
    },
    Kind {
        prefix: "dc",
        share: 6,
        services: &[
            duty("NTDS", "Active Directory Domain Services", LSASS, &[]),
            duty("Kdc", "Kerberos Key Distribution Center", LSASS, &["RpcSs", "Afd"]),
            duty("DNS", "DNS Server", r"C:\Windows\System32\dns.exe", &["NTDS"]),
            duty("ADWS", "Active Directory Web Services", r"C:\Windows\ADWS\Microsoft.ActiveDirectory.WebServices.exe", &[]),
            duty("IsmServ", "Intersite Messaging", r"C:\Windows\System32\ismserv.exe", &["SamSs"]),
            duty("DHCPServer", "DHCP Server", SVCHOST, &["RpcSs", "Tcpip"]),
            aside(duty("CertSvc", "Active Directory Certificate Services", r"C:\Windows\System32\certsrv.exe", &[])),
        ],
    },
    Kind {
        prefix: "mail",
        share: 5,
        services: &[
            duty("MSExchangeIS", "Microsoft Exchange Information Store", EXCHANGE, &["MSExchangeADTopology"]),
            duty("MSExchangeTransport", "Microsoft Exchange Transport", EXCHANGE, &["MSExchangeADTopology"]),
            duty("MSExchangeADTopology", "Microsoft Exchange Active Directory Topology", EXCHANGE, &[]),
            duty("MSExchangeFrontEndTransport", "Microsoft Exchange Frontend Transport", EXCHANGE, &["MSExchangeADTopology"]),
            duty("MSExchangeMailboxAssistants", "Microsoft Exchange Mailbox Assistants", EXCHANGE, &["MSExchangeADTopology"]),
            aside(duty("MSExchangeHM", "Microsoft Exchange Health Manager", EXCHANGE, &[])),
        ],
    },
    Kind {
        prefix: "sense",
        share: 6,
        services: &[
            duty_as(duty("QlikSenseEngineService", "Qlik Sense Engine Service", SENSE, &["QlikSenseServiceDispatcher"]), r"DEMO\svc-sense"),
            duty_as(duty("QlikSenseRepositoryService", "Qlik Sense Repository Service", SENSE, &["QlikSenseRepositoryDatabase"]), r"DEMO\svc-sense"),
            duty_as(duty("QlikSenseProxyService", "Qlik Sense Proxy Service", SENSE, &["QlikSenseServiceDispatcher"]), r"DEMO\svc-sense"),
            duty_as(duty("QlikSenseSchedulerService", "Qlik Sense Scheduler Service", SENSE, &["QlikSenseServiceDispatcher"]), r"DEMO\svc-sense"),
            duty("QlikSenseServiceDispatcher", "Qlik Sense Service Dispatcher", SENSE, &[]),
            duty("QlikSenseRepositoryDatabase", "Qlik Sense Repository Database", SENSE, &[]),
        ],
    },
    Kind {
        prefix: "rds",
        share: 7,
        services: &[
            duty("Tssdis", "Remote Desktop Connection Broker", SVCHOST, &["RpcSs"]),
            duty("TSGateway", "Remote Desktop Gateway", SVCHOST, &["RpcSs", "W3SVC"]),
            duty("TermServLicensing", "Remote Desktop Licensing", SVCHOST, &["RpcSs"]),
            aside(duty("RDMS", "Remote Desktop Management", SVCHOST, &[])),
        ],
    },
    Kind {
        prefix: "backup",
        share: 5,
        services: &[
            duty("VeeamBackupSvc", "Veeam Backup Service", VEEAM, &["VeeamBrokerSvc"]),
            duty("VeeamBrokerSvc", "Veeam Broker Service", VEEAM, &[]),
            duty("VeeamCatalogSvc", "Veeam Guest Catalog Service", VEEAM, &[]),
            duty("VeeamTransportSvc", "Veeam Data Mover Service", VEEAM, &[]),
        ],
    },
];

/// Where the hosts stand.
pub(super) const SITES: &[&str] = &[
    "oslo", "berlin", "madrid", "lyon", "gdansk", "porto", "turku", "graz",
];
