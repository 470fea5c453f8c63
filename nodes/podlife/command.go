package podlife

import (
	"path"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/nodes/podcmd"
)

// Program is what a command plainly says that it does.
type Program struct {
	Known   bool // the command can be read; the rest is zero otherwise
	Ends    bool
	After   time.Duration // from its start to its end
	Code    int32         // at its end
	Sleeps  bool          // PID 1 is a bare sleep or a shell that waits for one, which no signal handler speaks for
	Message string        // what it writes to the termination log
	Output  []Line        // what it prints
	tail    string        // the end of what it prints, as it prints it
	files   []fileChange  // in order of time
}

// Line is one that a program prints, without its line feed, and when, counted from its start.
type Line struct {
	At   time.Duration
	Text string
}

// fileChange is a file that a program makes or removes.
type fileChange struct {
	at    time.Duration
	path  string
	there bool
}

// servers are images that serve until they are stopped, if nothing else is said.
var servers = []string{"pause", "agnhost", "nginx", "httpd", "redis", "postgres", "mysql", "mongo", "memcached"}

// agnhost's subcommands that serve until they are stopped (k8s.io/kubernetes/test/images/agnhost).
var agnhostServers = []string{"pause", "netexec", "serve-hostname", "nettest", "porter", "guestbook", "webhook", "liveness",
	"test-webserver", "grpc-health-checking", "net", "no-snat-test-proxy", "pod-client", "tcp-reset", "inclusterclient"}

// ReadContainer reads what a container runs. Arguments without a command are those of its image's entry point, where that
// is known, and else count as one where they name what every image with a shell has: images such as busybox have no entry
// point of their own.
func ReadContainer(c *corev1.Container) Program {
	return Read(podcmd.Argv(c.Image, c.Command, c.Args), nil, c.Env, terminationLog(c))
}

// serves says that a container, whose command cannot be read, is known to serve until it is stopped.
func serves(c *corev1.Container) bool {
	name, words := podcmd.ImageName(c.Image), slices.Concat(c.Command, c.Args)
	if len(c.Command) > 0 {
		name, words = path.Base(words[0]), words[1:]
	}
	if name == "agnhost" && len(words) > 0 {
		return slices.Contains(agnhostServers, words[0])
	}
	return len(words) == 0 && slices.Contains(servers, name)
}

func terminationLog(c *corev1.Container) string {
	if c.TerminationMessagePath == "" {
		return corev1.TerminationMessagePathDefault
	}
	return c.TerminationMessagePath
}

// Read reads a command with its arguments, as containers and exec probes have them. env are the variables that it may
// name, as far as they have plain values; log is the path of the termination log, or empty.
func Read(command, args []string, env []corev1.EnvVar, log string) Program {
	return read(slices.Concat(command, args), scene{vars: plain(env), log: log})
}

// plain are the variables that have plain values.
func plain(env []corev1.EnvVar) map[string]string {
	vars := map[string]string{}
	for _, e := range env {
		if e.ValueFrom == nil {
			vars[e.Name] = e.Value
		}
	}
	return vars
}

// read reads a command in a scene, whose variables it may change.
func read(words []string, in scene) Program {
	if len(words) == 0 {
		return Program{}
	}
	for i := range words {
		words[i] = expansion.Expand(words[i], expansion.MappingFuncFor(in.vars))
	}
	s := &shell{scene: in}
	s.simple(words)
	if s.unreadable {
		return Program{}
	}
	p := Program{
		Known: true, Ends: !s.forever, After: s.at, Code: s.status, Message: s.message, Output: s.output, tail: s.tail, files: s.files,
		Sleeps: s.slept || s.forever && !s.serving,
	}
	if !p.Ends {
		p.After, p.Code = 0, 0
	}
	return p
}

// there says whether a file is there at a time: known only if the program ever makes or removes it.
func (p Program) there(file string, at time.Duration) (there, known bool) {
	for _, change := range p.files {
		if change.path != file {
			continue
		}
		if !known {
			there, known = !change.there, true // before the first change it is the other way
			if change.there {
				there = false
			}
		}
		if change.at <= at {
			there = change.there
		}
	}
	return there, known
}

// touches says whether a program ever changes files.
func (p Program) touches() bool { return len(p.files) > 0 }

// sleepTime reads what sleep takes: numbers with units, added up.
func sleepTime(words []string) (d time.Duration, forever, ok bool) {
	for _, word := range words {
		one, ok := podcmd.SleepTime(word)
		if !ok {
			return 0, false, false
		}
		if d += one; d >= endless {
			return 0, true, true
		}
	}
	return d, false, len(words) > 0
}

// endless is a sleep of more than 30 years: as good as for ever.
const endless = 1e9 * time.Second
