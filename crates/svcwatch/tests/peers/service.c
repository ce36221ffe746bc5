/* A service that does what it is told: run as `service.exe NAME HOW [NUMBER]`.
 *   obey          starts, stops, pauses and goes on at once
 *   slow MS       takes so long for each of them, and counts meanwhile
 *   hang          stays in START_PENDING for ever
 *   deaf          runs and does not heed a stop
 * Whatever it is, control 200 makes it end as stopped with the Win32 code NUMBER, 201 with NUMBER as its own code, and
 * 202 makes its process end at once with the exit code NUMBER, without a word to the manager.
 *
 * `service.exe install NAME HOW [NUMBER]`, `start NAME`, `stop NAME`, `pause NAME`, `continue NAME`, `control NAME CODE`,
 * `delete NAME` and `keep` (which holds the manager open until its standard input ends) are for the tests. */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status;
static const char *name, *how;
static DWORD number;

static void tell(DWORD state)
{
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

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    switch (code) {
    case SERVICE_CONTROL_STOP:
        if (strcmp(how, "deaf") != 0)
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
    reach(SERVICE_START_PENDING, SERVICE_RUNNING);
}

static int ended(const char *what, BOOL well)
{
    if (!well)
        fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    return well ? 0 : 1;
}

int main(int count, char **words)
{
    SC_HANDLE manager, opened;
    SERVICE_STATUS seen;
    const char *what = count > 1 ? words[1] : "";
    if (count >= 3 && (!strcmp(words[2], "obey") || !strcmp(words[2], "slow") || !strcmp(words[2], "hang")
                       || !strcmp(words[2], "deaf"))) {
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
    opened = OpenServiceA(manager, words[2], SERVICE_ALL_ACCESS);
    if (!opened)
        return ended("open", FALSE);
    if (!strcmp(what, "start"))
        return ended(what, StartServiceA(opened, 0, NULL));
    if (!strcmp(what, "stop"))
        return ended(what, ControlService(opened, SERVICE_CONTROL_STOP, &seen));
    if (!strcmp(what, "pause"))
        return ended(what, ControlService(opened, SERVICE_CONTROL_PAUSE, &seen));
    if (!strcmp(what, "continue"))
        return ended(what, ControlService(opened, SERVICE_CONTROL_CONTINUE, &seen));
    if (!strcmp(what, "control"))
        return ended(what, ControlService(opened, strtoul(words[3], NULL, 0), &seen));
    if (!strcmp(what, "delete"))
        return ended(what, DeleteService(opened));
    return 2;
}
