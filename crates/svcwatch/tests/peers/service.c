/* A service that does what it is told: run as `service.exe NAME HOW [NUMBER]`.
 *   obey          starts, stops, pauses and goes on at once
 *   slow MS       takes so long for each of them, and counts meanwhile
 *   hang          stays in START_PENDING for ever
 *   deaf          runs and does not heed a stop
 *   stuck         begins to stop when it is told to, and never ends
 *   fails NUMBER  ends as it starts, with the Win32 code NUMBER
 * Whatever it is, control 200 makes it end as stopped with the Win32 code NUMBER, 201 with NUMBER as its own code, and
 * 202 makes its process end at once with the exit code NUMBER, without a word to the manager, and 203 has it say NUMBER
 * times as fast as it can that it is paused or runs, and then that it has stopped.
 *
 * `service.exe install NAME HOW [NUMBER]`, `start NAME`, `stop NAME`, `pause NAME`, `continue NAME`, `control NAME CODE`,
 * `says NAME STATE` (which sets the state without any process, as Wine alone lets others than the service itself do),
 * `delete NAME`, `handles PROGRAM` (which says how many handles the process of that program has) and `keep` (which holds the manager open until its standard input ends) are for the tests, and
 * `measure NAME COUNT LOG FILE` for benchmarks: so often it stops and starts the service, waits each time until LOG and
 * then FILE have grown, and prints how many microseconds each was after the service told that it stopped. */
#include <windows.h>
#include <tlhelp32.h>
#include <winternl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status;
static const char *name, *how;
static DWORD number;

/* Where the service leaves the time at which it told that it stopped, for whoever measures from then on. */
static LONGLONG *stopped_at(void)
{
    static LONGLONG *place;
    HANDLE shared;
    if (!place) {
        shared = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof *place, "Global\\svcwatch-stopped");
        place = shared ? MapViewOfFile(shared, FILE_MAP_ALL_ACCESS, 0, 0, sizeof *place) : NULL;
    }
    return place;
}

static void tell(DWORD state)
{
    LARGE_INTEGER now;
    if (state == SERVICE_STOPPED && stopped_at()) {
        QueryPerformanceCounter(&now);
        *stopped_at() = now.QuadPart;
    }
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state;
    status.dwControlsAccepted =
        state == SERVICE_START_PENDING ? 0 : SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PAUSE_CONTINUE;
    status.dwWaitHint = 3000;
    SetServiceStatus(handle, &status);
}

static void reach(DWORD pending, DWORD state)
{
    DWORD waited = 0;
    if (strcmp(how, "slow") == 0)
        for (; waited < number; waited += 100) {
            status.dwCheckPoint++;
            tell(pending);
            Sleep(100);
        }
    status.dwCheckPoint = 0;
    tell(state);
}

static DWORD WINAPI crash(void *unused)
{
    (void)unused;
    /* Who asked for it has its answer first. */
    Sleep(50);
    TerminateProcess(GetCurrentProcess(), number);
    return 0;
}

static DWORD WINAPI storm(void *unused)
{
    DWORD said = 0;
    (void)unused;
    for (; said < number; said++)
        tell(said % 2 ? SERVICE_RUNNING : SERVICE_PAUSED);
    tell(SERVICE_STOPPED);
    return 0;
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    switch (code) {
    case SERVICE_CONTROL_STOP:
        if (strcmp(how, "stuck") == 0)
            tell(SERVICE_STOP_PENDING);
        else if (strcmp(how, "deaf") != 0)
            reach(SERVICE_STOP_PENDING, SERVICE_STOPPED);
        break;
    case SERVICE_CONTROL_PAUSE:
        reach(SERVICE_PAUSE_PENDING, SERVICE_PAUSED);
        break;
    case SERVICE_CONTROL_CONTINUE:
        reach(SERVICE_CONTINUE_PENDING, SERVICE_RUNNING);
        break;
    case 200:
        status.dwWin32ExitCode = number;
        tell(SERVICE_STOPPED);
        break;
    case 201:
        status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
        status.dwServiceSpecificExitCode = number;
        tell(SERVICE_STOPPED);
        break;
    case 202:
        CreateThread(NULL, 0, crash, NULL, 0, NULL);
        break;
    case 203:
        CreateThread(NULL, 0, storm, NULL, 0, NULL);
    }
    return NO_ERROR;
}

static void WINAPI service(DWORD count, char **words)
{
    (void)count, (void)words;
    handle = RegisterServiceCtrlHandlerExA(name, control, NULL);
    tell(SERVICE_START_PENDING);
    if (strcmp(how, "hang") == 0)
        Sleep(INFINITE);
    if (strcmp(how, "fails") == 0) {
        status.dwWin32ExitCode = number;
        tell(SERVICE_STOPPED);
        return;
    }
    reach(SERVICE_START_PENDING, SERVICE_RUNNING);
}

static int ended(const char *what, BOOL well);

/* What Wine's manager asks for before it takes a state from somebody. */
#define MAY_SET_STATUS 0x8000

static int says(SC_HANDLE manager, const char *service_name, DWORD state)
{
    SC_HANDLE opened = OpenServiceA(manager, service_name, MAY_SET_STATUS);
    if (!opened)
        return ended("open", FALSE);
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state;
    return ended("says", SetServiceStatus((SERVICE_STATUS_HANDLE)opened, &status));
}

static int ended(const char *what, BOOL well)
{
    if (!well)
        fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    return well ? 0 : 1;
}

/* A manager that has just started holds its list until it has started what starts by itself. */
static BOOL start(SC_HANDLE opened)
{
    int tries = 100;
    while (!StartServiceA(opened, 0, NULL)) {
        if (GetLastError() != ERROR_SERVICE_DATABASE_LOCKED || !tries--)
            return FALSE;
        Sleep(100);
    }
    return TRUE;
}

/* A service that stops at once may be gone before its answer is here. */
static BOOL stop(SC_HANDLE opened)
{
    SERVICE_STATUS seen;
    return ControlService(opened, SERVICE_CONTROL_STOP, &seen) || GetLastError() == ERROR_BROKEN_PIPE;
}

/* The process of a program, or 0. */
static DWORD process_of(const char *program)
{
    PROCESSENTRY32 entry = {.dwSize = sizeof entry};
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    BOOL more = Process32First(all, &entry);
    while (more && _stricmp(entry.szExeFile, program) != 0)
        more = Process32Next(all, &entry);
    CloseHandle(all);
    return more ? entry.th32ProcessID : 0;
}

/* What NtQuerySystemInformation tells of all handles. GetProcessHandleCount is always 0 in Wine. */
#define SYSTEM_HANDLES 16
struct handle_entry {
    ULONG owner;
    UCHAR type, flags;
    USHORT value;
    void *object;
    ULONG access;
};
struct handle_list {
    ULONG count;
    struct handle_entry entries[];
};

static int handles(const char *program)
{
    static ULONGLONG place[1 << 17];
    const struct handle_list *list = (const void *)place;
    DWORD process = process_of(program);
    ULONG at, used, count = 0;
    if (!process || NtQuerySystemInformation(SYSTEM_HANDLES, place, sizeof place, &used))
        return ended("handles", FALSE);
    for (at = 0; at < list->count; at++)
        count += list->entries[at].owner == process;
    printf("%lu\n", count);
    return 0;
}

static LONGLONG length(HANDLE file)
{
    LARGE_INTEGER bytes;
    return GetFileSizeEx(file, &bytes) ? bytes.QuadPart : -1;
}

static HANDLE reader(const char *path)
{
    return CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0,
                       NULL);
}

static LONGLONG grows(HANDLE file, LONGLONG before)
{
    LARGE_INTEGER now;
    /* Without a pause this alone would keep a core busy; so a time is up to a millisecond too long. */
    while (length(file) == before)
        Sleep(1);
    QueryPerformanceCounter(&now);
    return now.QuadPart;
}

static int measure(SC_HANDLE opened, DWORD count, const char *logged, const char *written)
{
    HANDLE log = reader(logged), file = reader(written);
    LARGE_INTEGER second;
    LONGLONG line, notice, stopped, committed, told;
    if (log == INVALID_HANDLE_VALUE || file == INVALID_HANDLE_VALUE || !stopped_at())
        return ended("file", FALSE);
    QueryPerformanceFrequency(&second);
    while (count--) {
        line = length(log), notice = length(file);
        *stopped_at() = 0;
        if (!stop(opened))
            return ended("stop", FALSE);
        /* What was logged before the service stopped is about something else. */
        do {
            committed = grows(log, line);
            line = length(log);
            stopped = *stopped_at();
        } while (!stopped || committed < stopped);
        told = grows(file, notice);
        printf("%lld %lld\n", (committed - stopped) * 1000000 / second.QuadPart,
               (told - stopped) * 1000000 / second.QuadPart);
        fflush(stdout);
        notice = length(file);
        if (!start(opened))
            return ended("start", FALSE);
        while (length(file) == notice)
            Sleep(5);
        /* What it told is over, and the next stop is one of its own. */
        Sleep(1200);
    }
    return 0;
}

int main(int count, char **words)
{
    SC_HANDLE manager, opened;
    SERVICE_STATUS seen;
    const char *what = count > 1 ? words[1] : "";
    if (count >= 3 && (!strcmp(words[2], "obey") || !strcmp(words[2], "slow") || !strcmp(words[2], "hang")
                       || !strcmp(words[2], "deaf") || !strcmp(words[2], "stuck") || !strcmp(words[2], "fails"))) {
        SERVICE_TABLE_ENTRYA table[] = {{words[1], service}, {NULL, NULL}};
        name = words[1], how = words[2], number = count > 3 ? strtoul(words[3], NULL, 0) : 0;
        return ended("dispatcher", StartServiceCtrlDispatcherA(table));
    }
    manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (!manager)
        return ended("manager", FALSE);
    if (!strcmp(what, "keep")) {
        puts("ready");
        fflush(stdout);
        while (getchar() != EOF)
            ;
        return 0;
    }
    if (count < 3)
        return 2;
    if (!strcmp(what, "install")) {
        char line[1024], path[MAX_PATH];
        GetModuleFileNameA(NULL, path, sizeof path);
        snprintf(line, sizeof line, "\"%s\" %s %s %s --password=Geheim99", path, words[2], words[3],
                 count > 4 ? words[4] : "0");
        opened = CreateServiceA(manager, words[2], words[2], SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, NULL, NULL);
        return ended("install", opened != NULL);
    }
    if (!strcmp(what, "says") && count > 3)
        return says(manager, words[2], strtoul(words[3], NULL, 0));
    if (!strcmp(what, "handles"))
        return handles(words[2]);
    opened = OpenServiceA(manager, words[2], SERVICE_ALL_ACCESS);
    if (!opened)
        return ended("open", FALSE);
    if (!strcmp(what, "start"))
        return ended(what, start(opened));
    if (!strcmp(what, "stop"))
        return ended(what, stop(opened));
    if (!strcmp(what, "pause"))
        return ended(what, ControlService(opened, SERVICE_CONTROL_PAUSE, &seen));
    if (!strcmp(what, "continue"))
        return ended(what, ControlService(opened, SERVICE_CONTROL_CONTINUE, &seen));
    if (!strcmp(what, "control"))
        return ended(what, ControlService(opened, strtoul(words[3], NULL, 0), &seen));
    if (!strcmp(what, "measure") && count > 5)
        return measure(opened, strtoul(words[3], NULL, 0), words[4], words[5]);
    if (!strcmp(what, "automatic"))
        return ended(what, ChangeServiceConfigA(opened, SERVICE_NO_CHANGE, SERVICE_AUTO_START, SERVICE_NO_CHANGE, NULL,
                                                NULL, NULL, NULL, NULL, NULL, NULL));
    if (!strcmp(what, "delete"))
        return ended(what, DeleteService(opened));
    return 2;
}
