package boot

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
)

// Media types of parts of user data.
const (
	nodeConfigMedia  = "application/node.eks.aws"
	shellScriptMedia = "text/x-shellscript"
	cloudConfigMedia = "text/cloud-config"
	boothookMedia    = "text/cloud-boothook"
)

// maxUserData bounds what user data unpack to. EC2 takes 16 KiB of them, and gzip makes a thousandth of some.
const maxUserData = 4 << 20

// part of user data.
type part struct {
	media string // such as text/x-shellscript; "" where the part does not say
	body  []byte
}

// unpack undoes base64, as those send it who encode twice, and gzip.
func unpack(data []byte) ([]byte, error) {
	if decoded, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data))); err == nil && len(decoded) > 0 {
		data = decoded
	}
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("failed to create GZIP reader: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(reader, maxUserData))
	if err != nil {
		return nil, fmt.Errorf("failed to read from GZIP reader: %w", err)
	}
	return plain, nil
}

var errNotMultipart = errors.New("MIME type is not multipart")

// split takes a MIME multipart document apart, and those within it; errNotMultipart, or the mail parser's error, if it
// is none.
func split(data []byte) ([]part, error) {
	message, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotMultipart, err)
	}
	media, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(media, "multipart/") {
		return nil, errNotMultipart
	}
	var parts []part
	for reader := multipart.NewReader(message.Body, parameters["boundary"]); ; {
		next, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		} else if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(next, maxUserData))
		if err != nil {
			return nil, err
		}
		p := part{body: body}
		if header := next.Header.Get("Content-Type"); header != "" {
			if p.media, _, err = mime.ParseMediaType(header); err != nil {
				return nil, err
			}
		}
		if p.body, err = unpack(body); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
}

// partsOf are the parts that cloud-init sees: those of a multipart document, or one whose media type follows from how it
// begins.
func partsOf(data []byte) []part {
	if parts, err := split(data); err == nil {
		for i := range parts {
			if media := mediaOf(parts[i].body); parts[i].media == "" || parts[i].media == "text/plain" {
				parts[i].media = media
			}
		}
		return parts
	}
	return []part{{mediaOf(data), data}}
}

// mediaOf is cloud-init's table of how user data begin (cloudinit/handlers, INCLUSION_TYPES_MAP).
func mediaOf(data []byte) string {
	text := string(bytes.TrimLeft(data, " \t\r\n"))
	for _, begin := range [][2]string{{"#!", shellScriptMedia}, {"#cloud-config", cloudConfigMedia},
		{"#cloud-boothook", boothookMedia}, {"#include", "text/x-include-url"}, {"<powershell>", "text/x-powershell"}} {
		if strings.HasPrefix(text, begin[0]) {
			return begin[1]
		}
	}
	return ""
}

// removedBootstrap is what /etc/eks/bootstrap.sh of Amazon Linux 2023 prints.
var removedBootstrap = []string{
	"!!!!!!!!!!", "!!!!!!!!!! ERROR: bootstrap.sh has been removed from AL2023-based EKS AMIs.", "!!!!!!!!!!",
	"!!!!!!!!!! EKS nodes are now initialized by nodeadm.", "!!!!!!!!!!",
	"!!!!!!!!!! To migrate your user data, see:", "!!!!!!!!!!",
	"!!!!!!!!!!     https://awslabs.github.io/amazon-eks-ami/nodeadm/", "!!!!!!!!!!",
}

// notes are lines of the console about the parts that cloud-init would run, and Tripod does not.
func notes(parts []part, family Family) []string {
	var lines []string
	for i, p := range parts {
		switch p.media {
		case shellScriptMedia, boothookMedia:
			if bootstraps := bytes.Contains(p.body, []byte(bootstrapScript)); bootstraps && family == AL2 {
				lines = append(lines, fmt.Sprintf("tripod: of the shell script of part-%03d (%d bytes) only the call of %s "+
					"counts on a simulated node", i+1, len(p.body), bootstrapScript))
				continue
			} else if bootstraps {
				lines = append(lines, removedBootstrap...)
			}
			lines = append(lines, fmt.Sprintf("tripod: the shell script of part-%03d (%d bytes) is not run on a simulated node", i+1,
				len(p.body)))
		case cloudConfigMedia:
			lines = append(lines, fmt.Sprintf("tripod: the cloud-config of part-%03d (%d bytes) is not applied on a simulated node",
				i+1, len(p.body)))
		}
	}
	return lines
}
