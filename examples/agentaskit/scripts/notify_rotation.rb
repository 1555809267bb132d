# frozen_string_literal: true

# Posts the result of a rotation to the on-call channel.
# Usage: ruby scripts/notify_rotation.rb SECRET_CLASS RESULT
require "json"
require "net/http"
require "uri"

WEBHOOK_URL = URI(ENV.fetch("ONCALL_WEBHOOK_URL"))
TOKEN_HEADER = "Authorization"

def notify(secret_class, result)
  request = Net::HTTP::Post.new(WEBHOOK_URL)
  request["Content-Type"] = "application/json"
  request[TOKEN_HEADER] = "Bearer #{ENV.fetch('ONCALL_TOKEN')}"
  request.body = JSON.generate(text: "rotation of #{secret_class}: #{result}")
  Net::HTTP.start(WEBHOOK_URL.host, WEBHOOK_URL.port, use_ssl: true) { |http| http.request(request) }
end

abort "usage: #{$PROGRAM_NAME} SECRET_CLASS RESULT" unless ARGV.length == 2
notify(*ARGV)
