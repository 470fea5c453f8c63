package podcmd

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// initialContent is what a loop of mounttest waits for.
const initialContent = "mount-tester new file\n"

// loopPause is between two looks of a loop of mounttest.
const loopPause = 2 * time.Second

// xfsMagic is statfs's number of XFS, which is on the disks of EKS's images.
const xfsMagic = 0x58465342

// mounttest says what files are like, in the order and the words of agnhost's. Files that it is to write make it one that
// cannot be read: containers have no files but those that are given to them.
func (s *shell) mounttest(to streams, argv []string) (int, error) {
	flags := newFlags()
	paths := map[string]*string{}
	for _, name := range []string{"fs_type", "file_mode", "file_perm", "file_owner", "file_content", "file_content_in_loop",
		"new_file_0644", "new_file_0666", "new_file_0660", "new_file_0777"} {
		paths[name] = flags.String(name, "", "")
	}
	retry := flags.Int("retry_time", 180, "")
	until := flags.Bool("break_on_expected_content", true, "")
	if err := flags.Parse(argv[2:]); err != nil || flags.NArg() > 0 {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	code := 0
	var printing error
	say := func(format string, args ...any) {
		if printing == nil {
			printing = s.print(to, fmt.Sprintf(format, args...))
		}
	}
	flags.VisitAll(func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, "new_file_") && flag.Value.String() != "" {
			printing = unreadable("%s writes files", strings.Join(argv, " "))
		}
	})
	// look is at the file that an option names; call is the system call that would fail.
	look := func(option, call string, found func(path string, f File)) {
		path := *paths[option]
		if path == "" || printing != nil {
			return
		}
		file, there := s.host.File(path)
		if there {
			found(path, file)
			return
		}
		code = 1
		const trouble = "no such file or directory"
		switch call {
		case "open":
			say("error reading file content for %q: open %s: %s\n", path, path, trouble)
		case "Stat":
			say("error from Stat(%q): stat %s: %s\n", path, path, trouble)
		default:
			say("error from %s(%q): %s\n", call, path, trouble)
		}
	}
	look("fs_type", "statfs", func(path string, f File) {
		kind := fmt.Sprint(xfsMagic)
		if f.InMemory {
			kind = "tmpfs"
		}
		say("mount type of %q: %s\n", path, kind)
	})
	look("file_mode", "Stat", func(path string, f File) { say("mode of file %q: %v\n", path, f.Mode) })
	look("file_perm", "Stat", func(path string, f File) { say("perms of file %q: %v\n", path, f.Mode.Perm()) })
	look("file_owner", "stat", func(path string, f File) {
		say("owner UID of %q: %v\n", path, f.UID)
		say("owner GID of %q: %v\n", path, f.GID)
	})
	look("file_content", "open", func(path string, f File) {
		if f.Mode&fs.ModeDir != 0 {
			code = 1
			say("error reading file content for %q: read %s: is a directory\n", path, path)
			return
		}
		say("content of file %q: %v\n", path, f.Content)
	})
	if path := *paths["file_content_in_loop"]; path != "" && printing == nil {
		failed, err := s.contentInLoop(path, time.Duration(*retry)*time.Second, *until, say)
		if failed {
			code = 1
		}
		if printing == nil {
			printing = err
		}
	}
	return code, printing
}

// contentInLoop prints a file's content again and again for a time, or until it is what is expected. It fails if the file
// was not there at last.
func (s *shell) contentInLoop(path string, retry time.Duration, until bool, say func(string, ...any)) (failed bool, err error) {
	for start := s.host.Now(); s.host.Now().Sub(start) < retry; {
		if s.steps++; s.steps > mostSteps {
			return false, errTooLong
		}
		file, found := s.host.File(path)
		failed = !found
		switch {
		case failed:
			say("Error reading file %s: open %s: no such file or directory, retrying\n", path, path)
		case until && file.Content == initialContent:
			say("content of file %q: %v\n", path, file.Content)
			return false, nil
		default:
			say("content of file %q: %v\n", path, file.Content)
			if until {
				say("Unexpected content. Expected: %s. Retrying\n", initialContent)
			}
		}
		if err := s.host.Sleep(loopPause); err != nil {
			return failed, err
		}
	}
	return failed, nil
}
