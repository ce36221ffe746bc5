#requires -Version 5.1
<#
.SYNOPSIS
Gives a group the right to read the services of this computer, and nothing else.

.DESCRIPTION
svcwatch reads services with query rights only. This script adds one entry for a group to the security descriptor of the
service control manager and one to that of each service: connect, list and query, never start, stop, change or create.
Every other entry stays as it is, character for character. Run it again whenever you like, for example at each start by a
group policy: what has the rights already is left alone, and services that are new since the last run are named.

What was changed stands in the registry, under HKLM:\SOFTWARE\svcwatch\Rights, with the descriptors as they were.
-Undo takes exactly these entries away again. -WhatIf says what would be done.

docs/rights.md of svcwatch describes the whole way. `svcwatch rights` computes the same for a single descriptor.

.PARAMETER Group
The group: its SID, or its name as CORP\svcwatch-readers. A group of its own; groups that Windows or a domain brings along
are refused, apart from Performance Monitor Users, Event Log Readers and Remote Management Users.

.PARAMETER Undo
Takes the entries of this script away again.

.PARAMETER Exclude
Names or patterns of services that are left as they are.

.PARAMETER SelfTest
Computes the rows of a file of old and new descriptors instead, and says which differ: tests/data/rights/vectors.csv of
svcwatch. Needs no Windows.

.EXAMPLE
.\Grant-SvcwatchRights.ps1 -Group 'CORP\svcwatch-readers' -WhatIf

.EXAMPLE
.\Grant-SvcwatchRights.ps1 -Group 'CORP\svcwatch-readers'

.EXAMPLE
.\Grant-SvcwatchRights.ps1 -Group 'CORP\svcwatch-readers' -Undo

.EXAMPLE
pwsh -File Grant-SvcwatchRights.ps1 -SelfTest vectors.csv
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium', DefaultParameterSetName = 'Rights')]
param(
    [Parameter(Mandatory = $true, Position = 0, ParameterSetName = 'Rights')]
    [string] $Group,

    [Parameter(ParameterSetName = 'Rights')]
    [switch] $Undo,

    [Parameter(ParameterSetName = 'Rights')]
    [string[]] $Exclude = @(),

    [Parameter(Mandatory = $true, ParameterSetName = 'SelfTest')]
    [string] $SelfTest
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$Cmdlet = $PSCmdlet

# The rights as Windows writes them. On the manager: connect, enumerate, query the lock, read the descriptor. On a service:
# query the configuration, query the status, read the descriptor. RP on a service would be the right to start it.
$LettersOf = @{ manager = 'CCLCRPRC'; service = 'CCLCRC' }
$RightsOf = @{ manager = [int64] 131093; service = [int64] 131077 }

# Bits of the rights, in decimal: hexadecimal literals become negative numbers in PowerShell.
$BitsOf = @{
    CC = 1
    DC = 2
    LC = 4
    SW = 8
    RP = 16
    WP = 32
    DT = 64
    LO = 128
    CR = 256
    SD = 65536
    RC = 131072
    WD = 262144
    WO = 524288
    GA = 268435456
    GX = 536870912
    GW = 1073741824
    GR = 2147483648
    FA = 2032127
    FR = 1179785
    FW = 1179926
    FX = 1179808
    KA = 983103
    KR = 131097
    KW = 131078
    KX = 131097
}
$Generic = [int64] 4026531840
$OfServicesOnly = [int64] 448

$KnownFlags = @('CI', 'OI', 'NP', 'IO', 'ID', 'SA', 'FA', 'TP', 'CR')
$AuditKinds = @('AU', 'OU', 'XU', 'AL', 'OL', 'ML', 'RA', 'SP', 'TL', 'FL')
$OfADomain = @('AP', 'CA', 'CN', 'DA', 'DC', 'DD', 'DG', 'DU', 'EA', 'EK', 'KA', 'LA', 'LG', 'PA', 'RO', 'RS', 'SA')
$Fixed = @{
    AA = 'S-1-5-32-579'
    AC = 'S-1-15-2-1'
    AN = 'S-1-5-7'
    AO = 'S-1-5-32-548'
    AS = 'S-1-18-1'
    AU = 'S-1-5-11'
    BA = 'S-1-5-32-544'
    BG = 'S-1-5-32-546'
    BO = 'S-1-5-32-551'
    BU = 'S-1-5-32-545'
    CD = 'S-1-5-32-574'
    CG = 'S-1-3-1'
    CO = 'S-1-3-0'
    CY = 'S-1-5-32-569'
    ED = 'S-1-5-9'
    ER = 'S-1-5-32-573'
    ES = 'S-1-5-32-576'
    HA = 'S-1-5-32-578'
    HI = 'S-1-16-12288'
    IS = 'S-1-5-32-568'
    IU = 'S-1-5-4'
    LS = 'S-1-5-19'
    LU = 'S-1-5-32-559'
    LW = 'S-1-16-4096'
    ME = 'S-1-16-8192'
    MP = 'S-1-16-8448'
    MS = 'S-1-5-32-577'
    MU = 'S-1-5-32-558'
    NO = 'S-1-5-32-556'
    NS = 'S-1-5-20'
    NU = 'S-1-5-2'
    OW = 'S-1-3-4'
    PO = 'S-1-5-32-550'
    PS = 'S-1-5-10'
    PU = 'S-1-5-32-547'
    RA = 'S-1-5-32-575'
    RC = 'S-1-5-12'
    RD = 'S-1-5-32-555'
    RE = 'S-1-5-32-552'
    RM = 'S-1-5-32-580'
    RU = 'S-1-5-32-554'
    SI = 'S-1-16-16384'
    SO = 'S-1-5-32-549'
    SS = 'S-1-18-2'
    SU = 'S-1-5-6'
    SY = 'S-1-5-18'
    UD = 'S-1-5-84-0-0-0-0-0'
    WD = 'S-1-1-0'
    WR = 'S-1-5-33'
}

# Stops with a sentence that names the place in the descriptor, counted from 1.
function Stop-At([string] $What, [int] $At) {
    throw "$What (character $($At + 1))"
}

# A SID in one way of writing; nothing where the text is none.
function Resolve-SidText([string] $Text) {
    if ($Fixed.ContainsKey($Text)) { return $Fixed[$Text] }
    if ($OfADomain -contains $Text) { return $Text.ToUpperInvariant() }
    if ($Text -notmatch '^[Ss]-1-[0-9]{1,15}(-[0-9]{1,10}){1,15}$') { return $null }
    $parts = $Text.Split('-')
    if ([uint64] $parts[2] -ge 281474976710656) { return $null }
    $numbers = @([uint64] $parts[2])
    for ($at = 3; $at -lt $parts.Length; $at++) {
        $number = [uint64] $parts[$at]
        if ($number -gt 4294967295) { return $null }
        $numbers += $number
    }
    return 'S-1-' + ($numbers -join '-')
}

# The SID of a group that may be given rights; stops where it means more than a group of its own.
function Resolve-GroupSid([string] $Text) {
    $sid = $null
    if ($Text.Trim() -match '^[Ss]-') { $sid = Resolve-SidText $Text.Trim() }
    if (-not $sid) { throw "$Text is no SID" }
    $numbers = @($sid.Split('-') | Select-Object -Skip 2 | ForEach-Object { [uint64] $_ })
    if ($numbers.Length -ge 2 -and $numbers[0] -eq 5 -and $numbers[1] -eq 21) {
        if ($numbers.Length -eq 6 -and $numbers[5] -ge 1000) { return $sid }
        throw "$sid is a group that every domain has, with members that nobody chose for this; make a group of its own"
    }
    if ($numbers.Length -eq 6 -and $numbers[0] -eq 12 -and $numbers[1] -eq 1) { return $sid }
    if ($numbers.Length -ge 2 -and $numbers[0] -eq 5 -and $numbers[1] -eq 32) {
        if ($numbers.Length -eq 3 -and @(558, 573, 580) -contains $numbers[2]) { return $sid }
        throw "$sid is a group that every Windows has, with members that nobody chose for this; make a group of its own"
    }
    throw "$sid means more than the members of one group; make a group of its own"
}

# Letters two by two.
function Split-Pairs([string] $Text, [int] $At, [string] $What, $Known) {
    $found = @()
    for ($place = 0; $place -lt $Text.Length; $place += 2) {
        $pair = $Text.Substring($place, [Math]::Min(2, $Text.Length - $place))
        if ($Known -notcontains $pair) { Stop-At "'$pair' is no $What" ($At + $place) }
        $found += $pair.ToUpperInvariant()
    }
    return , $found
}

# Rights as bits: letters, or a number in decimal, octal or hexadecimal.
function Read-Rights([string] $Text, [int] $At) {
    $sum = [int64] 0
    if ($Text -match '^[0-9]') {
        $number = [int64] -1
        if ($Text -match '^0[xX][0-9a-fA-F]{1,12}$') { $number = [Convert]::ToInt64($Text.Substring(2), 16) }
        elseif ($Text -match '^0[0-7]{1,15}$') { $number = [Convert]::ToInt64($Text, 8) }
        elseif ($Text -match '^(0|[1-9][0-9]{0,14})$') { $number = [int64] $Text }
        if ($number -lt 0 -or $number -gt 4294967295) { Stop-At "'$Text' is no number of 32 bits, which rights are" $At }
        return $number
    }
    foreach ($pair in (Split-Pairs $Text $At 'right' @($BitsOf.Keys))) { $sum = $sum -bor [int64] $BitsOf[$pair] }
    return $sum
}

# How long the entry is that begins here.
function Measure-Entry([string] $Text, [int] $Begin) {
    $depth = 0
    $quoted = $false
    for ($at = $Begin; $at -lt $Text.Length; $at++) {
        $character = $Text[$at]
        if ($character -eq '"') { $quoted = -not $quoted }
        elseif ($character -eq '(' -and -not $quoted) { $depth++ }
        elseif ($character -eq ')' -and -not $quoted) { $depth-- }
        elseif ($depth -eq 1 -and [char]::IsWhiteSpace($character)) { Stop-At 'the text has white space inside an entry' $at }
        elseif ([char]::IsControl($character)) { Stop-At 'a control character stands in the text' $at }
        if ($depth -gt 64) { Stop-At 'the parentheses are deeper than 64' $at }
        if ($depth -eq 0) { return $at - $Begin + 1 }
    }
    Stop-At 'an entry begins here whose parenthesis is not closed' $Begin
}

# One entry of the list of who may do what.
function Read-Entry([string] $Text, [int] $At) {
    $fields = @()
    $places = @()
    $begin = 1
    $depth = 0
    $quoted = $false
    for ($place = 1; $place -lt $Text.Length - 1; $place++) {
        $character = $Text[$place]
        if ($character -eq '"') { $quoted = -not $quoted }
        elseif ($character -eq '(' -and -not $quoted) { $depth++ }
        elseif ($character -eq ')' -and -not $quoted) { $depth-- }
        elseif ($character -eq ';' -and -not $quoted -and $depth -eq 0) {
            $fields += $Text.Substring($begin, $place - $begin)
            $places += ($At + $begin)
            $begin = $place + 1
        }
    }
    $fields += $Text.Substring($begin, $Text.Length - 1 - $begin)
    $places += ($At + $begin)
    if ($fields.Length -lt 6) { Stop-At 'an entry has six parts with semicolons between' $At }
    $kind = $fields[0].ToUpperInvariant()
    if ($AuditKinds -contains $kind) { Stop-At "an entry '$kind' belongs into the list behind S:" $places[0] }
    if (@('A', 'D', 'OA', 'OD', 'XA', 'ZA', 'XD') -notcontains $kind) { Stop-At "'$kind' is no kind of entry" $places[0] }
    $conditional = @('XA', 'ZA', 'XD') -contains $kind
    $ofObject = @('OA', 'OD', 'ZA') -contains $kind
    $read = Split-Pairs $fields[1] $places[1] 'flag of an entry' $KnownFlags
    foreach ($field in 3, 4) {
        $isGuid = $fields[$field] -match '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        if ($fields[$field] -ne '' -and -not ($ofObject -and $isGuid)) {
            Stop-At "'$($fields[$field])' stands where only an entry of kind OA, OD or ZA has something" $places[$field]
        }
    }
    if ($conditional) {
        if ($fields.Length -ne 7 -or $fields[6].Trim() -notmatch '(?s)^\(.*\)$') {
            Stop-At 'an entry with a condition has seven parts, of which the last is the condition in parentheses' $At
        }
    }
    elseif ($fields.Length -ne 6) { Stop-At 'an entry of this kind has six parts; this is a seventh' $places[6] }
    $who = Resolve-SidText $fields[5]
    if (-not $who) { Stop-At "'$($fields[5])' is neither a SID nor two letters that stand for one" $places[5] }
    return [pscustomobject] @{
        Text      = $Text
        Kind      = $kind
        Inherited = ($read -contains 'ID')
        BelowOnly = ($read -contains 'IO')
        Flagged   = ($read.Length -gt 0)
        Rights    = (Read-Rights $fields[2] $places[2])
        Who       = $who
    }
}

# A descriptor in three pieces: what stands before the entries, the entries, and what stands behind them.
function Read-Descriptor([string] $Text) {
    $text = $Text.Trim()
    if ($text -eq '') { throw 'there is no descriptor (character 1)' }
    if ($text.Length -gt 262144) { throw 'the text is longer than 256 KiB (character 1)' }
    $before = ''
    $after = ''
    $head = $null
    $entries = @()
    $seen = ''
    $at = 0
    while ($at -lt $text.Length) {
        $begin = $at
        if ([char]::IsWhiteSpace($text[$at])) { Stop-At 'the text has white space inside' $at }
        if ($at + 1 -ge $text.Length -or $text[$at + 1] -ne ':' -or 'OGDS'.IndexOf([char]::ToUpperInvariant($text[$at])) -lt 0) {
            Stop-At 'this is not understood; a descriptor consists of O:, G:, D: and S:, and of entries in parentheses' $at
        }
        $mark = [string] [char]::ToUpperInvariant($text[$at])
        if ($seen.Contains($mark)) { Stop-At "'${mark}:' stands here for the second time" $at }
        $seen += $mark
        $at += 2
        if ($mark -eq 'O' -or $mark -eq 'G') {
            $length = [Math]::Min(2, $text.Length - $at)
            if ($text.Substring($at) -match '^[Ss]-[0-9-]*') { $length = $Matches[0].Length }
            if (-not (Resolve-SidText $text.Substring($at, $length))) { Stop-At 'this is neither a SID nor two letters that stand for one' $at }
            $at += $length
        }
        else {
            $listFlags = @()
            while ($text.Substring($at) -match '^(NO_ACCESS_CONTROL|AR|AI|P)') {
                $flag = $Matches[0].ToUpperInvariant()
                if ($listFlags -contains $flag) { Stop-At "the flag '$flag' stands here for the second time" $at }
                $listFlags += $flag
                $at += $flag.Length
            }
            if ($mark -eq 'D') {
                if ($listFlags -contains 'NO_ACCESS_CONTROL') { throw 'the descriptor has no list behind D:, which lets everybody do everything' }
                $head = $text.Substring($begin, $at - $begin)
            }
            $count = 0
            while ($at -lt $text.Length -and $text[$at] -eq '(') {
                $count++
                if ($count -gt 2000) { Stop-At 'the list has more than 2,000 entries' $at }
                $length = Measure-Entry $text $at
                if ($mark -eq 'D') { $entries += (Read-Entry $text.Substring($at, $length) $at) }
                $at += $length
            }
            if ($mark -eq 'D') { continue }
        }
        if ($null -eq $head) { $before += $text.Substring($begin, $at - $begin) }
        else { $after += $text.Substring($begin, $at - $begin) }
    }
    if ($null -eq $head) { throw 'the descriptor has no list behind D:, which lets everybody do everything' }
    return [pscustomobject] @{ Before = $before + $head; Entries = $entries; After = $after }
}

function Join-Descriptor($Before, $Entries, $After) {
    return $Before + (@($Entries | ForEach-Object { $_.Text }) -join '') + $After
}

# Reads a descriptor, and stops where that of a service is taken for that of the manager.
function Read-DescriptorOf([string] $Sddl, [string] $For) {
    $read = Read-Descriptor $Sddl
    if ($For -eq 'manager') {
        foreach ($entry in $read.Entries) {
            $always = @('S-1-5-18', 'S-1-5-32-544') -contains $entry.Who
            if ($always -and $entry.Kind -eq 'A' -and -not $entry.BelowOnly -and ($entry.Rights -band $OfServicesOnly) -ne 0) {
                throw 'this is the descriptor of a service, not of the service control manager'
            }
        }
    }
    return $read
}

# The descriptor with the query rights of the group added; the same text where it has them.
function Add-QueryRights([string] $Sddl, [string] $Sid, [string] $For) {
    $read = Read-DescriptorOf $Sddl $For
    $wanted = $RightsOf[$For]
    $has = [int64] 0
    foreach ($entry in $read.Entries) {
        if ($entry.Who -ne $Sid -or $entry.BelowOnly) { continue }
        if (@('D', 'OD', 'XD') -contains $entry.Kind) {
            if (($entry.Rights -band ($wanted -bor $Generic)) -ne 0) { throw "the entry $($entry.Text) denies the group what would be given" }
        }
        elseif ($entry.Kind -eq 'A') { $has = $has -bor $entry.Rights }
    }
    if (($has -band $wanted) -eq $wanted) { return (Join-Descriptor $read.Before $read.Entries $read.After) }
    $ours = [pscustomobject] @{ Text = "(A;;$($LettersOf[$For]);;;$Sid)"; Inherited = $false }
    $entries = @()
    $placed = $false
    foreach ($entry in $read.Entries) {
        if ($entry.Inherited -and -not $placed) {
            $entries += $ours
            $placed = $true
        }
        $entries += $entry
    }
    if (-not $placed) { $entries += $ours }
    return (Join-Descriptor $read.Before $entries $read.After)
}

# The descriptor without the entries of exactly the rights that are added above.
function Remove-QueryRights([string] $Sddl, [string] $Sid, [string] $For) {
    $read = Read-DescriptorOf $Sddl $For
    $wanted = $RightsOf[$For]
    $kept = @($read.Entries | Where-Object {
            -not ($_.Who -eq $Sid -and $_.Kind -eq 'A' -and -not $_.Flagged -and $_.Rights -eq $wanted)
        })
    return (Join-Descriptor $read.Before $kept $read.After)
}

# Computes the rows of a file of vectors, and says which differ.
function Test-Vectors([string] $Path) {
    $rows = @(Import-Csv -LiteralPath $Path)
    $wrong = 0
    foreach ($row in $rows) {
        $new = ''
        $undone = ''
        $refusal = ''
        try {
            $sid = Resolve-GroupSid $row.'group'
            $new = Add-QueryRights $row.'old' $sid $row.'for'
            $undone = Remove-QueryRights $new $sid $row.'for'
            $again = Add-QueryRights $new $sid $row.'for'
            if ($again -cne $new) { $refusal = 'twice is not once' }
        }
        catch { $refusal = $_.Exception.Message }
        $good = if ($row.'refused' -ne '') { $refusal -ne '' } else { $refusal -eq '' -and $new -ceq $row.'new' -and $undone -ceq $row.'undo' }
        if (-not $good) {
            $wrong++
            Write-Output "DIFFERS $($row.'name'): new [$new] undo [$undone] refused [$refusal]"
        }
    }
    Write-Output "$($rows.Length) rows, $wrong differ"
    if ($wrong -gt 0 -or $rows.Length -eq 0) { exit 1 }
}

# What sc.exe shows for a service or for the manager; stops with what it said instead.
function Get-Descriptor([string] $Name) {
    $lines = @(& sc.exe sdshow $Name | Where-Object { $_ -and $_.Trim() -ne '' })
    if ($LASTEXITCODE -ne 0) { throw "who may read it cannot be read: $($lines -join ' ')" }
    return ($lines -join '')
}

# Writes a descriptor; stops where Windows does not take it.
function Set-Descriptor([string] $Name, [string] $Sddl) {
    if ($Sddl.Contains('"')) { throw 'it has an entry with a condition in quotes, which sc.exe cannot be given; add the entry by hand' }
    if ($Sddl.Length -gt 30000) { throw 'its descriptor is too long for a command line; add the entry by hand' }
    $lines = @(& sc.exe sdset $Name $Sddl | Where-Object { $_ -and $_.Trim() -ne '' })
    if ($LASTEXITCODE -eq 5) { throw 'Windows protects it from changes, also by administrators; svcwatch will not see it' }
    if ($LASTEXITCODE -ne 0) { throw "Windows refuses the change: $($lines -join ' ')" }
}

# The names of the services, without drivers and without the copies that each logged on user gets.
function Get-ServiceNames {
    $services = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Services')
    try {
        foreach ($name in $services.GetSubKeyNames()) {
            $key = $services.OpenSubKey($name)
            if ($null -eq $key) { continue }
            try { $type = $key.GetValue('Type') } finally { $key.Close() }
            if ($type -is [int] -and ($type -band 48) -ne 0 -and ($type -band 128) -eq 0) { $name }
        }
    }
    finally { $services.Close() }
}

# Gives or takes one entry; returns what became of it: changed, same, skipped or planned.
function Update-One([string] $Name, [string] $For, [string] $Sid, $Record) {
    try {
        $old = Get-Descriptor $Name
        if ($Undo) { $new = Remove-QueryRights $old $Sid $For } else { $new = Add-QueryRights $old $Sid $For }
        if ($new -ceq $old.Trim()) { return 'same' }
        $doing = if ($Undo) { "take (A;;$($LettersOf[$For]);;;$Sid) away" } else { "add (A;;$($LettersOf[$For]);;;$Sid)" }
        if (-not $Cmdlet.ShouldProcess($Name, $doing)) { return 'planned' }
        # First the record, so that nothing is changed that is not written down.
        if (-not $Undo -and $null -ne $Record) { $Record.SetValue($Name, $old) }
        Set-Descriptor $Name $new
        $now = Get-Descriptor $Name
        if ($Undo) { $then = Remove-QueryRights $now $Sid $For } else { $then = Add-QueryRights $now $Sid $For }
        if ($then -cne $now.Trim()) { throw 'Windows took the change, but it does not show afterwards' }
        return 'changed'
    }
    catch {
        Write-Warning "${Name} is left as it is: $($_.Exception.Message)"
        return 'skipped'
    }
}

if ($PSCmdlet.ParameterSetName -eq 'SelfTest') {
    Test-Vectors $SelfTest
    exit 0
}

$me = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'this needs an administrator: it changes who may read services'
}
if ($Group -match '^[Ss]-1-') { $sid = Resolve-GroupSid $Group }
else {
    try { $sid = ([Security.Principal.NTAccount] $Group).Translate([Security.Principal.SecurityIdentifier]).Value }
    catch { throw "there is no group $Group here or in the domain" }
    $sid = Resolve-GroupSid $sid
}

# Only administrators can write there, so nobody else can make this script believe what it did.
$path = "SOFTWARE\svcwatch\Rights\$sid"
$known = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey("$path\Services")
$before = @()
if ($null -ne $known) {
    $before = @($known.GetValueNames())
    $known.Close()
}
$names = @(Get-ServiceNames | Where-Object {
        $name = $_
        @($Exclude | Where-Object { $name -like $_ }).Length -eq 0
    } | Sort-Object)
$new = @($names | Where-Object { $before -notcontains $_ })
if ($before.Length -gt 0 -and $new.Length -gt 0 -and -not $Undo) {
    Write-Output "New since the last run: $($new -join ', ')"
}

$manager = $null
$services = $null
if (-not $WhatIfPreference -and -not $Undo) {
    $manager = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey("$path\Manager")
    $services = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey("$path\Services")
}
$outcome = @{ changed = 0; same = 0; skipped = 0; planned = 0 }
$managed = Update-One 'scmanager' 'manager' $sid $manager
$outcome[$managed]++
foreach ($name in $names) {
    $one = Update-One $name 'service' $sid $services
    $outcome[$one]++
    # What had the rights already is known from now on too, with the descriptor as it is.
    if ($one -eq 'same' -and $null -ne $services -and $before -notcontains $name) { $services.SetValue($name, '') }
}
if ($Undo -and -not $WhatIfPreference -and $outcome['skipped'] -eq 0 -and $Exclude.Length -eq 0) {
    [Microsoft.Win32.Registry]::LocalMachine.DeleteSubKeyTree($path, $false)
}
$verb = if ($Undo) { 'taken away' } else { 'given' }
Write-Output "$($names.Length) services and the service control manager: rights $verb on $($outcome['changed']), nothing to do on $($outcome['same']), left as they are $($outcome['skipped']), only planned $($outcome['planned'])."
if ($managed -eq 'skipped') { exit 1 }
exit 0
