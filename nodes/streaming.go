package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	// streamIdle ends a port-forward that nobody uses: the kubelet's streamingConnectionIdleTimeout.
	streamIdle = 4 * time.Hour
	// streamCreation is how long a client may take to open its streams.
	streamCreation = 30 * time.Second
)

// noProcess is what exec and attach say.
func noProcess(pod string) string {
	return "tripod: pod " + pod + " is on a simulated node, which runs no process.\n"
}

// commandNotExecutable is the shell's exit code for a command that was found and cannot be run.
const commandNotExecutable = 126

func podOf(r *http.Request) string { return r.PathValue("namespace") + "/" + r.PathValue("pod") }

func (k *kubelet) exec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, noRuntime{}, podOf(r), r.PathValue("uid"), r.PathValue("container"),
		r.URL.Query()["command"], options, streamIdle, streamCreation, remotecommand.SupportedStreamingProtocols)
}

func (k *kubelet) attach(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeAttach(w, r, noRuntime{}, podOf(r), r.PathValue("uid"), r.PathValue("container"),
		options, streamIdle, streamCreation, remotecommand.SupportedStreamingProtocols)
}

func (k *kubelet) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, forwarder{k}, podOf(r), r.PathValue("uid"), options,
		streamIdle, streamCreation, portforward.SupportedProtocols)
}

// noRuntime is a container runtime without containers. Name is "namespace/pod" in its methods.
type noRuntime struct{}

// ExecInContainer says so on stderr, or where a terminal has only one stream on stdout, and ends with exit code 126.
func (noRuntime) ExecInContainer(_ context.Context, name, _, _ string, _ []string, _ io.Reader, out,
	errs io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	say(noProcess(name), out, errs)
	return utilexec.CodeExitError{Err: errors.New("the node is simulated"), Code: commandNotExecutable}
}

// AttachContainer says so and ends well: there is nothing more to come.
func (noRuntime) AttachContainer(_ context.Context, name, _, _ string, _ io.Reader, out, errs io.WriteCloser,
	tty bool, _ <-chan remotecommand.TerminalSize) error {
	say(noProcess(name), out, errs)
	return nil
}

// say writes to the first stream that is there, stderr before stdout.
func say(sentence string, out, errs io.WriteCloser) {
	for _, stream := range []io.WriteCloser{errs, out} {
		if stream != nil {
			io.WriteString(stream, sentence)
			return
		}
	}
}

// forwarder leads a forwarded port to where the pod's annotation says, as the VPC does.
type forwarder struct{ kubelet *kubelet }

// PortForward copies between stream and the pod's local address; without one it fails at once.
func (f forwarder) PortForward(ctx context.Context, name, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	address, err := f.address(name, int(port))
	if err != nil {
		return fmt.Errorf("tripod: nothing listens on port %d of a simulated pod: %w", port, err)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("tripod: pod %s leads to %s, where nothing listens: %w", name, address, err)
	}
	defer conn.Close()
	// This direction ends when the client closes its stream, which may be after the other has.
	f.kubelet.handlers.Go(func() {
		io.Copy(conn, stream)
		conn.(*net.TCPConn).CloseWrite()
	})
	_, err = io.Copy(stream, conn)
	return err
}

// address is the local one of a pod of this zone, "namespace/name".
func (f forwarder) address(name string, port int) (string, error) {
	z := f.kubelet.sim.current()
	if z == nil {
		return "", errors.New("the zone's nodes are stopped")
	}
	for _, pod := range z.player.podsOf("") {
		if pod.Namespace+"/"+pod.Name == name {
			return lookup{allowed: f.kubelet.sim.conf.LocalPort}.localAddress(pod, port)
		}
	}
	return "", fmt.Errorf("pod %s is not on a node of this zone", name)
}
