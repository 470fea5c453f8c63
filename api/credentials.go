package api

// Credentials are those of somebody in the region: the default user's, from the file credentials.json, root's, or a
// node's.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	// SessionToken goes with temporary credentials; empty for long-term keys.
	SessionToken string `json:"sessionToken,omitempty"`
	AccountID    string `json:"accountId"`
	UserARN      string `json:"userArn"`
}
