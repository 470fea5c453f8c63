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
	"tripod/client/chaos"
	"tripod/client/chaos/report"
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
	t     testing.TB
	dir   string
	begun time.Time
}

// Start gives the test a region that is healthy. It waits for other tests that use it.
func Start(t testing.TB, with ...Option) *Region {
	t.Helper()
	o := options{binary: os.Getenv(BinaryVariable), dir: os.Getenv(DataDirVariable), idle: 5 * time.Minute}
	for _, one := range with {
		one(&o)
	}
	if o.dir == "" {
		own, err := ownTempDir()
		if err != nil {
			t.Fatal(err)
		}
		o.dir = filepath.Join(own, "region")
	}
	if dir, err := filepath.Abs(o.dir); err == nil {
		o.dir = dir
	}
	if o.binary == "" {
		found, err := exec.LookPath("tripod")
		if err != nil {
			t.Fatalf("there is no program tripod in PATH: name it by %s", BinaryVariable)
		}
		o.binary = found
	}
	unlock, err := lock(t, o.dir)
	if err != nil {
		t.Fatalf("take the region in %s: %v", o.dir, err)
	}
	r := &Region{Client: client.New(o.dir), t: t, dir: o.dir, begun: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := r.become(ctx, o); err != nil {
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

// become has the region run and be whole. One that is ending by itself is let end first.
func (r *Region) become(ctx context.Context, o options) error {
	for {
		err := r.bringUp(ctx, o)
		if err == nil {
			return nil
		}
		status, _ := r.Status(ctx)
		if ctx.Err() != nil || status != nil && status.Phase != api.PhaseStopping && status.Phase != api.PhaseStarting {
			return err
		}
		if status == nil && time.Since(r.begun) > endTime {
			return err
		}
		pause(ctx)
	}
}

// endTime bounds how long a region is waited for that ends.
const endTime = 40 * time.Second

// pause waits for a moment, or for the end of ctx.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
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

// ownTempDir is a directory among the temporary files that belongs to this user alone.
func ownTempDir() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("tripod-test-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || known && owner.Uid != uint32(os.Getuid()) {
		return "", fmt.Errorf("%s is somebody else's, or others can write there: name another directory by %s", dir, DataDirVariable)
	}
	return dir, nil
}

// lock takes the region for this test: others, of whatever process, wait.
func lock(t testing.TB, dir string) (unlock func(), err error) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	path := dir + ".lock"
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
		err = fmt.Errorf("%s belongs to somebody else: name another directory by %s", path, DataDirVariable)
	}
	for waited := false; err == nil; waited = true {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			if !waited {
				t.Logf("%s: waits for the test that uses the region; a test can have it once only", path)
			}
			err = nil
			pause(t.Context())
			if t.Context().Err() != nil {
				err = t.Context().Err()
			}
		}
	}
	file.Close()
	return nil, err
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

// Experiment runs an experiment, of which chaos.Parse makes one too, and fails the test where it does not come as expected. The report
// is there all the same.
func (r *Region) Experiment(e *chaos.Experiment, o chaos.Options) *report.Report {
	r.t.Helper()
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	got, err := e.Run(r.t.Context(), r.Client, o)
	r.must("run "+e.Name, err)
	if got.Outcome != report.AsExpected {
		r.t.Errorf("%s: %s: %s (seed %d)", e.Name, got.Outcome, got.Reason, got.Seed)
	}
	return got
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
