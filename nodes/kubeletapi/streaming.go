package kubeletapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"tripod/internal/link"
	"tripod/internal/sleep"
	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

const (
	// streamIdle ends a port-forward that nobody uses: the kubelet's streamingConnectionIdleTimeout.
	streamIdle = 4 * time.Hour
	// streamCreation is how long a client may take to open its streams.
	streamCreation = 30 * time.Second
)

// commandNotExecutable is the shell's exit code for a command that was found and cannot be run.
const commandNotExecutable = 126

// noProcess is what exec says of a command that is not plain.
func noProcess(pod *corev1.Pod) string {
	return "tripod: pod " + pod.Namespace + "/" + pod.Name + " is on a simulated node, which runs no process. It knows echo, " +
		"printf, sleep, true, false, exit, env, printenv, hostname, date, id, whoami, pwd, seq, cat, mv, curl, wget, nc, nslookup, dig, " +
		"getent, grep, head, tail, sort, uniq, wc, test and sh -c of these.\n"
}

// running is the pod of a request to exec or attach, and its container's run. Where it is none, an answer has been given.
func (a *API) running(w http.ResponseWriter, r *http.Request) (*corev1.Pod, instance, bool) {
	pod := a.conf.Pods.Pod(r.PathValue("namespace"), r.PathValue("pod"))
	uid, container := r.PathValue("uid"), r.PathValue("container")
	if pod == nil || uid != "" && uid != string(pod.UID) {
		http.Error(w, "pod does not exist", http.StatusNotFound)
		return nil, instance{}, false
	}
	s := podset.Status(pod, container)
	if s == nil || s.State.Running == nil {
		http.Error(w, fmt.Sprintf("container not found (%q)", container), http.StatusInternalServerError)
		return nil, instance{}, false
	}
	return pod, instance{number: s.RestartCount, started: s.State.Running.StartedAt.Time}, true
}

func (a *API) exec(w http.ResponseWriter, r *http.Request) {
	a.remote(w, r, func(rt runtime, options *remotecommand.Options) {
		remotecommand.ServeExec(w, r, rt, rt.pod.Name, string(rt.pod.UID), rt.container.Name, r.URL.Query()["command"], options,
			streamIdle, streamCreation, remotecommand.SupportedStreamingProtocols)
	})
}

func (a *API) attach(w http.ResponseWriter, r *http.Request) {
	a.remote(w, r, func(rt runtime, options *remotecommand.Options) {
		remotecommand.ServeAttach(w, r, rt, rt.pod.Name, string(rt.pod.UID), rt.container.Name, options, streamIdle, streamCreation,
			remotecommand.SupportedStreamingProtocols)
	})
}

func (a *API) remote(w http.ResponseWriter, r *http.Request, serve func(runtime, *remotecommand.Options)) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod, run, ok := a.running(w, r)
	if !ok {
		return
	}
	n, _ := a.conf.Node(pod.Spec.NodeName)
	serve(runtime{a, n, pod, podset.Container(pod, r.PathValue("container")), run}, options)
}

// runtime is a container runtime for one container, which does what plain commands say.
type runtime struct {
	api       *API
	node      Node
	pod       *corev1.Pod
	container *corev1.Container
	run       instance
}

// until ends with the container, the connection and the API.
func (r runtime) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.api.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// ExecInContainer runs a plain command; of another it says on stderr, or where a terminal has only one stream on stdout,
// that no process runs, and ends with exit code 126.
func (r runtime) ExecInContainer(ctx context.Context, _, _, _ string, argv []string, in io.Reader, out, errs io.WriteCloser,
	tty bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	ctx, cancel := r.until(ctx)
	defer cancel()
	exec := &execHost{runtime: r, view: r.api.view(ctx, r.node, r.pod, r.container), ctx: ctx, in: in, out: plain(out, tty),
		errs: plain(errs, tty)}
	host := podcmd.Host(exec)
	if r.api.conf.Network != nil {
		host = networkedHost{exec, r.api.conf.Network(r.pod)}
	}
	command, err := podcmd.Parse(argv)
	code := commandNotExecutable
	if err == nil {
		code, err = command.Run(host)
	}
	if errors.Is(err, podcmd.ErrUnreadable) {
		host.Output(noProcess(r.pod), true)
		return utilexec.CodeExitError{Err: errors.New("the node is simulated"), Code: commandNotExecutable}
	}
	if err != nil {
		return err
	}
	if code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return nil
}

// AttachContainer writes what the container logs from now on, until it ends.
func (r runtime) AttachContainer(ctx context.Context, _, _, _ string, _ io.Reader, out, errs io.WriteCloser, tty bool,
	_ <-chan remotecommand.TerminalSize) error {
	ctx, cancel := r.until(ctx)
	defer cancel()
	w := logWriter{}
	if out != nil {
		w.out = plain(out, tty)
	}
	if errs != nil {
		w.errs = plain(errs, tty)
	} else if tty {
		w.errs = w.out
	}
	o := logOptions{follow: true, since: r.api.conf.Now(), tail: 0}
	r.api.tell(ctx, r.pod, r.container.Name, r.run, o, w)
	return nil
}

// plain is a stream, for a terminal with carriage returns before line feeds.
func plain(w io.Writer, tty bool) io.Writer {
	if closer, ok := w.(io.WriteCloser); ok && closer == nil || w == nil {
		return nil
	}
	if tty {
		return terminal{w}
	}
	return w
}

type terminal struct{ w io.Writer }

func (t terminal) Write(b []byte) (int, error) {
	_, err := io.WriteString(t.w, strings.ReplaceAll(string(b), "\n", "\r\n"))
	return len(b), err
}

// execHost is where a command runs that a client has started.
type execHost struct {
	runtime
	view      *view
	ctx       context.Context
	in        io.Reader
	out, errs io.Writer
}

func (h *execHost) Now() time.Time { return time.Now() }

// Sleep ends with the container, too: as its processes would.
func (h *execHost) Sleep(d time.Duration) error {
	for end := time.Now().Add(d); ; {
		rest := time.Until(end)
		if rest <= 0 {
			return h.ctx.Err()
		}
		if err := sleep.For(h.ctx, min(rest, followEvery)); err != nil {
			return err
		}
		if run := h.api.latest(h.pod, h.container.Name, h.run); !run.ended.IsZero() {
			return utilexec.CodeExitError{Err: errors.New("the container has ended"), Code: 137} // 128 + SIGKILL
		}
	}
}

// Output goes to the first stream that is there.
func (h *execHost) Output(text string, stderr bool) error {
	first, second := h.out, h.errs
	if stderr {
		first, second = second, first
	}
	for _, to := range []io.Writer{first, second} {
		if to != nil {
			_, err := io.WriteString(to, text)
			return err
		}
	}
	return nil
}

func (h *execHost) Input() io.Reader {
	if h.in == nil {
		return nil
	}
	return h.in
}

func (h *execHost) Env() []string     { return h.view.env }
func (h *execHost) Hostname() string  { return podset.Hostname(h.pod) }
func (h *execHost) User() podcmd.User { return h.view.user() }

func (h *execHost) File(name string) (podcmd.File, bool) { return h.view.File(name) }

// Move moves a file of the container, whose present run keeps it so.
func (h *execHost) Move(from, to string) (string, error) {
	if h.api.conf.Moves == nil {
		return "", podcmd.ErrUnknownFile
	}
	return h.api.conf.Moves.Move(h.pod, h.container.Name, from, to)
}

// Network is what a pod reaches, as podcmd.Networked has it.
type Network interface {
	Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Lookup(ctx context.Context, name string, search bool) (podcmd.Record, error)
}

// networkedHost is an execHost whose pod has a network.
type networkedHost struct {
	*execHost
	Network
}

func (h networkedHost) Context() context.Context { return h.ctx }

func (h networkedHost) Resolver() netip.Addr {
	at, _ := netip.ParseAddr(h.node.dns())
	return at
}

func (h networkedHost) Image() string { return podcmd.ImageName(h.container.Image) }

func (a *API) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod := a.conf.Pods.Pod(r.PathValue("namespace"), r.PathValue("pod"))
	uid := r.PathValue("uid")
	if pod == nil || uid != "" && uid != string(pod.UID) {
		http.Error(w, "pod does not exist", http.StatusNotFound)
		return
	}
	portforward.ServePortForward(w, r, forwarder{a, pod}, pod.Name, string(pod.UID), options, streamIdle, streamCreation,
		portforward.SupportedProtocols)
}

// forwarder leads forwarded ports to a pod.
type forwarder struct {
	api *API
	pod *corev1.Pod
}

// PortForward copies between stream and the pod's port.
func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	conn, err := f.api.conf.HTTP.Dial(ctx, f.pod, int(port), netip.AddrPort{})
	if err != nil {
		return fmt.Errorf("tripod: port %d: %w", port, err)
	}
	var once sync.Once
	closeConn := func() { once.Do(func() { conn.Close() }) }
	defer closeConn()
	defer context.AfterFunc(f.api.ctx, closeConn)()
	// This direction ends when the client closes its stream, which may be after the other has.
	f.api.extra.Go(func() {
		if _, err := io.Copy(conn, stream); err != nil {
			closeConn()
			return
		}
		link.CloseWrite(conn)
	})
	_, err = io.Copy(stream, conn)
	return err
}
