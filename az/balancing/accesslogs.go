package balancing

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/region"
)

const (
	// logInterval is how often access logs are published, as on AWS; mostPending is how much of a load balancer's is kept
	// until then, and more is published at once.
	logInterval = 5 * time.Minute
	mostPending = 4 << 20
	// mostLogFiles is how many files of one load balancer a zone keeps: those of three days and a half, and then the oldest goes.
	mostLogFiles = 1000
)

// accessLogs are the access logs of a zone's load-balancer nodes: files below a directory that are as in the buckets of S3.
// They rest while nobody writes a line.
type accessLogs struct {
	dir    string // a bucket's is below it
	zone   string
	now    func() time.Time
	logger *slog.Logger

	mu      sync.Mutex
	pending map[string]*pendingLog // by the ARN of the load balancer
	timer   *time.Timer            // publishes what is pending; nil: nothing is
	wait    sync.WaitGroup         // for what is being published
	closed  bool
}

// pendingLog is what of a load balancer's access log is not published yet.
type pendingLog struct {
	balancer region.LoadBalancer
	lines    bytes.Buffer
}

// note adds a line, which is published with others.
func (a *accessLogs) note(b region.LoadBalancer, line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	p := a.pending[b.ARN]
	if p == nil {
		p = &pendingLog{}
		a.pending[b.ARN] = p
	}
	p.balancer = b
	p.lines.WriteString(line)
	p.lines.WriteByte('\n')
	if p.lines.Len() >= mostPending {
		delete(a.pending, b.ARN)
		a.wait.Go(func() { a.publish(p) })
	}
	if a.timer == nil {
		now := a.now()
		a.timer = time.AfterFunc(now.Truncate(logInterval).Add(logInterval).Sub(now), a.publishAll)
	}
}

// publishAll publishes what is pending.
func (a *accessLogs) publishAll() {
	a.mu.Lock()
	pending := a.pending
	a.pending, a.timer = map[string]*pendingLog{}, nil
	a.mu.Unlock()
	for _, p := range pending {
		a.publish(p)
	}
}

// close publishes what is pending, and takes no more.
func (a *accessLogs) close() {
	a.mu.Lock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.publishAll()
	a.wait.Wait()
}

func (a *accessLogs) publish(p *pendingLog) {
	if err := a.write(p); err != nil {
		a.logger.Error("the access log of a load balancer is lost", "balancer", p.balancer.Name, "error", err)
	}
}

// bucketName is what buckets may be called: it becomes a directory's name.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// write makes a file of lines, with the key that ELB gives it in a bucket.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
func (a *accessLogs) write(p *pendingLog) error {
	b := p.balancer
	bucket, prefix := b.Attribute("access_logs.s3.bucket"), b.Attribute("access_logs.s3.prefix")
	if !bucketName.MatchString(bucket) {
		return fmt.Errorf("%q is no name of a bucket", bucket)
	}
	if prefix != "" && !filepath.IsLocal(prefix) {
		return fmt.Errorf("the prefix %q leads out of its bucket", prefix)
	}
	parts := strings.SplitN(b.ARN, ":", 6)
	if len(parts) < 6 {
		return fmt.Errorf("%q is no ARN", b.ARN)
	}
	account, in := parts[4], parts[3]
	now := a.now().UTC()
	end := now
	if rounded := now.Round(logInterval); now.Sub(rounded).Abs() < time.Second { // the timer's own lateness
		end = rounded
	}
	var random [6]byte
	rand.Read(random[:])
	of := fmt.Sprintf("%s_elasticloadbalancing_%s_%s_", account, in, strings.ReplaceAll(b.Path(), "/", "."))
	name := fmt.Sprintf("%s%s_%s_%x.log.gz", of, end.Format("20060102T1504Z"), a.node(b), random)
	home := filepath.Join(a.dir, bucket, prefix, "AWSLogs", account, "elasticloadbalancing", in)
	file := filepath.Join(home, now.Format("2006/01/02"), name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := p.lines.WriteTo(z)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		return err
	}
	return trim(home, of)
}

// node is the address of the load balancer's node, or loopback's where it is not known by one.
func (a *accessLogs) node(b region.LoadBalancer) string {
	for _, z := range b.Zones {
		if z.Zone == a.zone {
			return cmp.Or(z.PublicAddress, z.PrivateAddress, "127.0.0.1")
		}
	}
	return "127.0.0.1"
}

// trim deletes the oldest files of a load balancer where there are too many.
func trim(home, of string) error {
	files, err := filepath.Glob(filepath.Join(home, "*", "*", "*", of+"*.log.gz"))
	if err != nil || len(files) <= mostLogFiles {
		return err
	}
	slices.Sort(files) // by day, and by the time in the name
	for _, old := range files[:len(files)-mostLogFiles] {
		err = errors.Join(err, os.Remove(old))
	}
	return err
}
