// Package tripodtest gives the tests of other programs a region: an Amazon EKS of three zones, which they break on purpose.
//
//	func TestMyControllerOutlivesAZone(t *testing.T) {
//		region := tripodtest.Start(t)
//		mgr := newManager(region.RESTConfig())
//		...
//		region.KillZone("b")
//		tripodtest.Eventually(t, time.Minute, "the work goes on", func() error { ... })
//	}
//
// All tests of a machine share one region, one after the other, also those of several packages that `go test ./...` runs side by side:
// the first one starts it, in some seconds, and it ends by itself when nobody has used it for some minutes. What a test has broken is
// mended at its end. It links no Kubernetes server, but client-go and the AWS SDK.
package tripodtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tripod/api"
	"tripod/client"
)

// Environment variables that say what Start uses where no option does.
const (
	BinaryVariable  = "TRIPOD_BINARY"   // the program tripod; else the one in PATH
	DataDirVariable = "TRIPOD_TEST_DIR" // the region's directory; else one per user among the temporary files
)

// Option changes what Start does.
type Option func(*options)

type options struct {
	binary, dir string
	args        []string
	idle        time.Duration
}

// WithBinary names the program tripod.
func WithBinary(path string) Option { return func(o *options) { o.binary = path } }

// WithDataDir has a region of its own, which lives there.
func WithDataDir(dir string) Option { return func(o *options) { o.dir = dir } }

// WithArgs adds flags of `tripod up`. They count where the test is the one that starts the region.
func WithArgs(args ...string) Option { return func(o *options) { o.args = append(o.args, args...) } }

// WithIdle says for how long nobody may have used the region when it ends by itself: 5 minutes otherwise.
func WithIdle(d time.Duration) Option { return func(o *options) { o.idle = d } }

// startTime bounds a start, and verbs, which wait for their effect: a machine may be busy.
const (
	startTime = 5 * time.Minute
	verbTime  = 2 * time.Minute
)

// Region is a running region, the test's alone until its end. Its methods fail the test where they cannot do their work; Client has
// those that return errors.
type Region struct {
	*client.Client
	t   testing.TB
	dir string
}

// Start gives the test a region that is healthy. It waits for other tests that use it.
func Start(t testing.TB, with ...Option) *Region {
	t.Helper()
	o := options{binary: os.Getenv(BinaryVariable), dir: os.Getenv(DataDirVariable), idle: 5 * time.Minute}
	for _, one := range with {
		one(&o)
	}
	if o.dir == "" {
		o.dir = filepath.Join(os.TempDir(), fmt.Sprintf("tripod-test-%d", os.Getuid()), "region")
	}
	if o.binary == "" {
		found, err := exec.LookPath("tripod")
		if err != nil {
			t.Fatalf("there is no program tripod in PATH: name it by %s", BinaryVariable)
		}
		o.binary = found
	}
	unlock, err := lock(o.dir)
	if err != nil {
		t.Fatalf("take the region in %s: %v", o.dir, err)
	}
	r := &Region{Client: client.New(o.dir), t: t, dir: o.dir}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := r.bringUp(ctx, o); err != nil {
		unlock()
		t.Fatalf("start a region: %v", err)
	}
	following, leave := context.WithCancel(context.Background())
	followed := make(chan struct{})
	go func() { // the region does not end by itself while somebody follows its events
		defer close(followed)
		_ = r.Events(following, 0, true, func(api.Event) error { return nil })
	}()
	t.Cleanup(func() {
		defer unlock()
		ctx, cancel := context.WithTimeout(context.Background(), verbTime)
		defer cancel()
		leave()
		<-followed
		if err := r.Reset(ctx); err != nil && !errors.Is(err, client.ErrNotRunning) {
			t.Errorf("mend the region: %v", err)
		}
	})
	return r
}

// bringUp starts the region, or mends the one that runs.
func (r *Region) bringUp(ctx context.Context, o options) error {
	_, err := r.Status(ctx)
	switch {
	case err == nil:
		return r.Reset(ctx)
	case !errors.Is(err, client.ErrNotRunning):
		return err
	}
	args := append([]string{"--down-after", o.idle.String()}, o.args...)
	_, err = client.Start(ctx, client.Options{Binary: o.binary, DataDir: o.dir, Args: args})
	return err
}

// lock takes the region for this test: others, of whatever process, wait.
func lock(dir string) (unlock func(), err error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(parent); err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
		return nil, fmt.Errorf("%s belongs to somebody else: name another directory by %s", parent, DataDirVariable)
	}
	file, err := os.OpenFile(filepath.Join(parent, "in-use.lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

func (r *Region) must(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// verb runs an order and waits for its effect.
func (r *Region) verb(what string, order func(context.Context) error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), verbTime)
	defer cancel()
	r.must(what, order(ctx))
}

// KillZone ends a zone by SIGKILL, by its letter: "b". StartZone brings it back; so does the end of the test.
func (r *Region) KillZone(zone string) {
	r.t.Helper()
	r.verb("kill az/"+zone, func(ctx context.Context) error { return r.Do(ctx, "az/"+zone, "kill", "") })
}

// StartZone starts a zone that was killed, and returns when the region is healthy.
func (r *Region) StartZone(zone string) {
	r.t.Helper()
	r.verb("start az/"+zone, func(ctx context.Context) error {
		if err := r.Do(ctx, "az/"+zone, "start", ""); err != nil {
			return err
		}
		return r.Wait(ctx, "region", client.ForHealthy)
	})
}

// PauseZone freezes a zone, and ResumeZone lets it go on.
func (r *Region) PauseZone(zone string) {
	r.t.Helper()
	r.verb("pause az/"+zone, func(ctx context.Context) error { return r.Do(ctx, "az/"+zone, "pause", "") })
}

// ResumeZone lets a paused zone go on.
func (r *Region) ResumeZone(zone string) {
	r.t.Helper()
	r.verb("resume az/"+zone, func(ctx context.Context) error { return r.Do(ctx, "az/"+zone, "resume", "") })
}

// PartitionLink cuts a link: "a-b", "a-all", "a-clients".
func (r *Region) PartitionLink(link string, fault api.LinkFault) {
	r.t.Helper()
	r.verb("partition link/"+link, func(ctx context.Context) error { return r.Partition(ctx, link, fault) })
}

// SlowLink delays what crosses a link.
func (r *Region) SlowLink(link string, fault api.LinkFault) {
	r.t.Helper()
	r.verb("slow link/"+link, func(ctx context.Context) error { return r.Slow(ctx, link, fault) })
}

// HealLink takes all faults off a link.
func (r *Region) HealLink(link string) {
	r.t.Helper()
	r.verb("heal link/"+link, func(ctx context.Context) error { return r.Heal(ctx, link) })
}

// RESTConfig is client-go's configuration for the cluster demo, as the region's user admin.
func (r *Region) RESTConfig() *rest.Config {
	r.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(r.dir, "kubeconfig"))
	r.must("read the kubeconfig", err)
	return config
}

// AWSConfig is the AWS SDK's configuration for the region's endpoint, as the user admin.
func (r *Region) AWSConfig() aws.Config {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), verbTime)
	defer cancel()
	status, err := r.Status(ctx)
	r.must("ask for the status", err)
	admin, err := client.ReadCredentials(r.dir)
	r.must("read the credentials", err)
	return aws.Config{Region: status.Region, BaseEndpoint: aws.String(status.AWSEndpoint),
		Credentials: credentials.NewStaticCredentialsProvider(admin.AccessKeyID, admin.SecretAccessKey, admin.SessionToken)}
}

// Namespace makes a namespace of the test's own in the cluster demo, which is deleted at its end.
func (r *Region) Namespace() string {
	r.t.Helper()
	kube, err := kubernetes.NewForConfig(r.RESTConfig())
	r.must("make a client", err)
	prefix := strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(r.t.Name())), "-")
	ctx, cancel := context.WithTimeout(context.Background(), verbTime)
	defer cancel()
	made, err := kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: prefix[:min(len(prefix), 40)] + "-"}}, metav1.CreateOptions{})
	r.must("make a namespace", err)
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), verbTime)
		defer cancel()
		if err := kube.CoreV1().Namespaces().Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil {
			r.t.Logf("delete the namespace %s: %v", made.Name, err)
		}
	})
	return made.Name
}

// Eventually waits until check returns nil, and fails the test with its last error where that takes longer than limit.
func Eventually(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	const pause = 50 * time.Millisecond
	var err error
	for deadline := time.Now().Add(limit); ; time.Sleep(pause) {
		if err = check(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %v", limit, what, err)
		}
	}
}
